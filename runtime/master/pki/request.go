package pki

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// AgentLife is how long a certificate is valid that an agent asked for; the
	// agent renews it when two thirds of that are over.
	AgentLife = 30 * 24 * time.Hour
	// MaxRequest bounds a certificate request, in bytes.
	MaxRequest = 16 << 10
)

// NewRequest makes a key and the request for a certificate of agent id (PKCS
// #10, PEM). The key does not leave the machine.
func NewRequest(id cluster.AgentID) (request, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate request of %s: key: %w", id, err)
	}
	if request, err = requestFor(id, private); err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate request of %s: %w", id, err)
	}
	return request, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

func requestFor(id cluster.AgentID, key any) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(id)}}, key)
	if err != nil {
		return nil, fmt.Errorf("certificate request of %s: %w", id, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// Sign issues the certificate of agent id for the key of a request. Nothing else
// of the request counts: not the name, not the extensions.
func (a *Authority) Sign(request []byte, id cluster.AgentID) ([]byte, error) {
	if !ValidAgentID(string(id)) {
		return nil, fmt.Errorf("certificate for agent %.63q: an agent id is 1 to 63 of a-z, 0-9 and -", id)
	}
	key, err := requestKey(request)
	if err != nil {
		return nil, fmt.Errorf("certificate request of agent %s: %w", id, err)
	}
	tmpl, err := template(string(id), AgentLife)
	if err != nil {
		return nil, err
	}
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	tmpl.DNSNames = []string{AgentName(id)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate for agent %s: sign: %w", id, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// requestKey is the public key of a request whose sender has the private one.
func requestKey(request []byte) (any, error) {
	if len(request) > MaxRequest {
		return nil, fmt.Errorf("%d bytes, over the limit of %d", len(request), MaxRequest)
	}
	block, rest := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) > 0 {
		return nil, errors.New("not one PEM block of a certificate request")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	switch key := csr.PublicKey.(type) {
	case ed25519.PublicKey:
		return key, nil
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return key, nil
		}
	}
	return nil, fmt.Errorf("its key is %s: use ECDSA on P-256 or P-384, or Ed25519", csr.PublicKeyAlgorithm)
}
