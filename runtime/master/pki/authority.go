package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// MasterName is the common name and DNS name of every master's certificate.
	MasterName = "master.universe"
	// AuthorityLife is how long a cluster's own certificate is valid.
	AuthorityLife = 10 * 365 * 24 * time.Hour
	// CertificateLife is how long an issued certificate is valid.
	CertificateLife = 365 * 24 * time.Hour
	// clockSkew is how much later than ours another machine's clock may start
	// to believe a certificate.
	clockSkew = time.Hour

	authorityCert = "ca.crt"
	authorityKey  = "ca.key"
)

// AgentName is the DNS name in the certificate of an agent: what the master
// verifies when it calls the agent's own API, whatever its address.
func AgentName(id cluster.AgentID) string { return string(id) + ".agent.universe" }

// Authority is the cluster's certificate authority. It is safe for concurrent use.
type Authority struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
}

// Open reads the authority in dir, or makes it there when dir has none. It
// refuses a directory that holds one of the two files only, and a key that
// others can read.
func Open(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cluster authority: %w", err)
	}
	certPath, keyPath := filepath.Join(dir, authorityCert), filepath.Join(dir, authorityKey)
	certPEM, certErr := os.ReadFile(certPath)
	keyPEM, keyErr := os.ReadFile(keyPath)
	switch {
	case certErr == nil && keyErr == nil:
		if info, err := os.Stat(keyPath); err == nil && info.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("cluster authority: %s has mode %04o: others can read the key; make it 0600", keyPath, info.Mode().Perm())
		}
		return parse(Pair{Cert: certPEM, Key: keyPEM}, dir)
	case errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist):
		return create(dir)
	default:
		return nil, fmt.Errorf("cluster authority: %s holds not both of %s and %s: restore the missing one, or remove the other to start a new cluster: %w",
			dir, authorityCert, authorityKey, errors.Join(certErr, keyErr))
	}
}

func create(dir string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cluster authority: key: %w", err)
	}
	tmpl, err := template("universe cluster authority", AuthorityLife)
	if err != nil {
		return nil, err
	}
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.MaxPathLenZero = true, true, true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("cluster authority: sign: %w", err)
	}
	pair, err := encode(der, key)
	if err != nil {
		return nil, err
	}
	if err := pair.save(filepath.Join(dir, authorityCert), filepath.Join(dir, authorityKey)); err != nil {
		return nil, fmt.Errorf("cluster authority: %w", err)
	}
	return parse(pair, dir)
}

func parse(pair Pair, dir string) (*Authority, error) {
	bad := func(what string, err error) error {
		return fmt.Errorf("cluster authority in %s: %s: %w", dir, what, err)
	}
	block, _ := pem.Decode(pair.Cert)
	if block == nil {
		return nil, bad(authorityCert, errors.New("no PEM block"))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, bad(authorityCert, err)
	}
	if !cert.IsCA {
		return nil, bad(authorityCert, errors.New("not an authority's certificate"))
	}
	block, _ = pem.Decode(pair.Key)
	if block == nil {
		return nil, bad(authorityKey, errors.New("no PEM block"))
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad(authorityKey, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, bad(authorityKey, fmt.Errorf("a %T, not an ECDSA key", parsed))
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, bad(authorityKey, errors.New("the key does not belong to the certificate"))
	}
	return &Authority{cert: cert, key: key, certPEM: pair.Cert}, nil
}

// CertPEM is the authority's certificate, which every member trusts.
func (a *Authority) CertPEM() []byte { return append([]byte(nil), a.certPEM...) }

// Pool is the authority as the one root to verify against.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Master issues a certificate for a master that is reached under hosts (names
// or addresses), besides MasterName.
func (a *Authority) Master(hosts ...string) (Pair, error) {
	pair, err := a.issue(MasterName, MasterName, hosts)
	if err != nil {
		return Pair{}, err
	}
	pair.Cert = append(pair.Cert, a.certPEM...) // for who knows the authority by its hash only
	return pair, nil
}

// Agent issues the certificate of an agent: its id is the common name.
func (a *Authority) Agent(id cluster.AgentID, hosts ...string) (Pair, error) {
	if !ValidAgentID(string(id)) {
		return Pair{}, fmt.Errorf("certificate for agent %q: an agent id is 1 to 63 of a-z, 0-9 and -", id)
	}
	return a.issue(string(id), AgentName(id), hosts)
}

func (a *Authority) issue(commonName, dnsName string, hosts []string) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate for %s: key: %w", commonName, err)
	}
	tmpl, err := template(commonName, CertificateLife)
	if err != nil {
		return Pair{}, err
	}
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	tmpl.DNSNames = []string{dnsName}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else if h != "" && h != dnsName {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate for %s: sign: %w", commonName, err)
	}
	return encode(der, key)
}

func template(commonName string, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // RFC 5280 §4.1.2.2: at most 20 bytes
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: serial: %w", commonName, err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"universe"}, CommonName: commonName},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(life),
	}, nil
}

// ValidAgentID reports whether s can be the id of an agent: 1 to 63 of a-z, 0-9
// and -.
func ValidAgentID(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
