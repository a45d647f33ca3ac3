package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/master/pki"
)

// loadTLS reads a daemon's certificate, its key and the authority it believes.
func loadTLS(f tlsFiles) (tls.Certificate, *x509.CertPool, error) {
	const hint = "universe dev issues certificates by itself; elsewhere name them under tls: cert, key, ca"
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return tls.Certificate{}, nil, problem.New(problem.Invalid, "the daemon's certificate: %w", err).WithHint(hint)
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return tls.Certificate{}, nil, problem.New(problem.Invalid, "the cluster's authority: %w", err).WithHint(hint)
	}
	roots, err := pki.Roots(pem)
	if err != nil {
		return tls.Certificate{}, nil, problem.New(problem.Invalid, "the cluster's authority in %s: %w", f.CA, err).WithHint(hint)
	}
	return cert, roots, nil
}
