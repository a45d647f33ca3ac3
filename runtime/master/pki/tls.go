package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// MasterServer is the configuration of the master's agent listener: a client's
// certificate must be one of the cluster. Which agent it is, PeerName says: no
// name, for a machine that has yet to join, gives no right to anything else.
func MasterServer(cert tls.Certificate, roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    roots,
	}
}

// AgentClient is the configuration with which an agent calls the master: it
// believes nobody but a holder of a MasterName certificate.
func AgentClient(cert tls.Certificate, roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		RootCAs:      roots,
		ServerName:   MasterName,
	}
}

// AgentServer is the configuration of an agent's own API: it serves the master only.
func AgentServer(cert tls.Certificate, roots *x509.CertPool) *tls.Config {
	c := MasterServer(cert, roots)
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if name := PeerName(&s); name != MasterName {
			return fmt.Errorf("certificate of %q: this API is for the master only", name)
		}
		return nil
	}
	return c
}

// MasterClient is the configuration with which the master calls the API of
// agent id: it believes that agent only, at whatever address it is.
func MasterClient(cert tls.Certificate, roots *x509.CertPool, id cluster.AgentID) *tls.Config {
	c := AgentClient(cert, roots)
	c.ServerName = AgentName(id)
	return c
}

// PeerName is the common name of the verified certificate at the other end;
// empty without one.
func PeerName(s *tls.ConnectionState) string {
	if s == nil || len(s.VerifiedChains) == 0 || len(s.PeerCertificates) == 0 {
		return ""
	}
	return s.PeerCertificates[0].Subject.CommonName
}

// Roots makes a pool of PEM certificates, for a member that has the
// authority's certificate but not its key.
func Roots(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in the cluster authority's PEM text")
	}
	return pool, nil
}
