package pki

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// minRenewRetry and maxRenewRetry bound the pause between two tries to renew.
	minRenewRetry = time.Minute
	maxRenewRetry = time.Hour
)

// Keeper holds an agent's certificate and renews it in time, while it is used.
type Keeper struct {
	certPath string
	id       cluster.AgentID
	roots    *x509.CertPool
	log      *slog.Logger
	current  atomic.Pointer[tls.Certificate]
	// renew asks for another certificate of the key.
	renew func(ctx context.Context, request []byte) (certificate []byte, err error)
}

// NewKeeper keeps the certificate in two PEM files, which must be an agent's,
// with the master at base. log gets a line for each renewal; nil: none.
func NewKeeper(certPath, keyPath, base string, roots *x509.CertPool, log *slog.Logger) (*Keeper, error) {
	cert, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, fmt.Errorf("the agent's certificate: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{certPath: certPath, id: cluster.AgentID(cert.Leaf.Subject.CommonName), roots: roots, log: log}
	k.current.Store(&cert)
	k.renew = func(ctx context.Context, request []byte) ([]byte, error) {
		issued, err := ask(ctx, base, PathRenew, k.Client(), (&net.Dialer{}).DialContext, Renew{Request: request})
		return issued.Certificate, err
	}
	return k, nil
}

// Client is AgentClient with the certificate of the day; it serves for
// agent.Config.TLS, whose server side shows the same.
func (k *Keeper) Client() *tls.Config {
	c := AgentClient(tls.Certificate{}, k.roots)
	c.Certificates = nil // else they come before GetCertificate
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return k.current.Load(), nil }
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load(), nil }
	return c
}

// Expires is when the certificate of the day does.
func (k *Keeper) Expires() time.Time { return k.current.Load().Leaf.NotAfter }

// due is when the certificate is to be renewed.
func (k *Keeper) due() time.Time {
	leaf := k.current.Load().Leaf
	return leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 3 * 2)
}

// Run renews the certificate, whenever it is due, until ctx is done; that is its
// error.
func (k *Keeper) Run(ctx context.Context) error {
	for retry := minRenewRetry; ; {
		wait := time.Until(k.due())
		if wait <= 0 {
			if err := k.renewNow(ctx); err == nil {
				retry = minRenewRetry
				continue
			} else if ctx.Err() == nil {
				k.log.Warn("the agent's certificate was not renewed; trying again", "agent", string(k.id), "expires", k.Expires(), "err", err)
			}
			wait, retry = retry, min(2*retry, maxRenewRetry)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// renewNow gets another certificate for the same key, so that one file changes
// and no crash can leave a certificate without its key.
func (k *Keeper) renewNow(ctx context.Context) error {
	key := k.current.Load().PrivateKey
	request, err := requestFor(k.id, key)
	if err != nil {
		return err
	}
	text, err := k.renew(ctx, request)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("private key of %s: %w", k.id, err)
	}
	pair := Pair{Cert: text, Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})}
	if err := (Enrolled{Pair: pair}).check(k.id); err != nil {
		return err
	}
	cert, err := pair.TLS()
	if err != nil {
		return err
	}
	if !cert.Leaf.NotAfter.After(k.Expires()) {
		return fmt.Errorf("the master gave one that expires at %s, no later than this one", cert.Leaf.NotAfter)
	}
	if err := writeFile(k.certPath, text); err != nil {
		return err
	}
	k.current.Store(&cert)
	k.log.Info("the agent's certificate is renewed", "agent", string(k.id), "expires", cert.Leaf.NotAfter)
	return nil
}
