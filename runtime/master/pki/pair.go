package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Pair is a certificate and its private key, both PEM.
type Pair struct {
	Cert []byte // certificate
	Key  []byte // PKCS #8 private key: a secret
}

func encode(der []byte, key *ecdsa.PrivateKey) (Pair, error) {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encode private key: %w", err)
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, nil
}

// TLS is the pair as crypto/tls wants it.
func (p Pair) TLS() (tls.Certificate, error) {
	cert, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate and key: %w", err)
	}
	return cert, nil
}

// Save writes the pair as name.crt and name.key of mode 0600 in dir, each
// either whole or not at all.
func (p Pair) Save(dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("save certificate %s: %w", name, err)
	}
	if err := p.save(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")); err != nil {
		return fmt.Errorf("save certificate %s: %w", name, err)
	}
	return nil
}

// Load reads what Save wrote.
func Load(dir, name string) (Pair, error) {
	cert, certErr := os.ReadFile(filepath.Join(dir, name+".crt"))
	key, keyErr := os.ReadFile(filepath.Join(dir, name+".key"))
	if err := errors.Join(certErr, keyErr); err != nil {
		return Pair{}, fmt.Errorf("load certificate %s: %w", name, err)
	}
	return Pair{Cert: cert, Key: key}, nil
}

func (p Pair) save(certPath, keyPath string) error {
	// The key first: a certificate without its key is refused at the next start,
	// and so is a key alone, but a crash in between never leaves a pair that lies.
	if err := writeFile(keyPath, p.Key); err != nil {
		return err
	}
	return writeFile(certPath, p.Cert)
}

// writeFile replaces path by content with mode 0600, durably.
func writeFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error counts
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
