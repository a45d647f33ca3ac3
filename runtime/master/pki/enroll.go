package pki

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// The paths by which agents get certificates, on the master's address for
// agents. PathJoin takes a Join from whoever has a token, PathRenew a Renew from
// an agent with a certificate; both answer with an Issued.
const (
	PathJoin  = "/v1/agent/join"
	PathRenew = "/v1/agent/renew"
	// MaxMessage bounds the messages on them, in bytes.
	MaxMessage = 64 << 10
	// enrollTimeout bounds the asking for a certificate.
	enrollTimeout = 30 * time.Second
)

// Join asks for an agent's first certificate.
type Join struct {
	Secret  string          `json:"secret"` // of the token
	Agent   cluster.AgentID `json:"agent"`
	Request []byte          `json:"request"` // see NewRequest
}

// Renew asks for another certificate of the agent that asks.
type Renew struct {
	Request []byte `json:"request"`
}

// Issued is a certificate and what a new member must know.
type Issued struct {
	Certificate []byte `json:"certificate"`        // PEM
	Authority   []byte `json:"authority"`          // the authority's certificate, PEM
	Registry    string `json:"registry,omitempty"` // host:port at which agents pull images by plain HTTP
}

// Enrolled is an agent that has joined.
type Enrolled struct {
	Pair      Pair   // the agent's
	Authority []byte // the authority's certificate, PEM
	Registry  string // as in Issued
	LocalIP   net.IP // the address from which the master was reached
}

// JoinClient is the configuration with which an agent that has no certificate
// calls the master: it believes the holder of a MasterName certificate of the
// authority with that hash, and nobody else.
func JoinClient(authority [sha256.Size]byte) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         MasterName,
		InsecureSkipVerify: true, // VerifyConnection does more: the root is known by its hash only
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, c := range s.PeerCertificates {
				if !c.IsCA || sha256.Sum256(c.Raw) != authority {
					continue
				}
				roots := x509.NewCertPool()
				roots.AddCert(c)
				_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: MasterName})
				return err
			}
			return errors.New("the master is not of the cluster that the token is for")
		},
	}
}

// Enroll joins agent id to the cluster of a token: it asks the master at base
// (https://host:port, its address for agents) for a certificate.
func Enroll(ctx context.Context, base string, token Token, id cluster.AgentID) (Enrolled, error) {
	request, key, err := NewRequest(id)
	if err != nil {
		return Enrolled{}, err
	}
	e := Enrolled{Pair: Pair{Key: key}}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			e.LocalIP = tcp.LocalAddr().(*net.TCPAddr).IP
		}
		return conn, err
	}
	issued, err := ask(ctx, base, PathJoin, JoinClient(token.Authority), dial, Join{Secret: token.Secret, Agent: id, Request: request})
	if err != nil {
		return Enrolled{}, fmt.Errorf("join %s: %w", base, err)
	}
	e.Pair.Cert, e.Authority, e.Registry = issued.Certificate, issued.Authority, issued.Registry
	if block, _ := pem.Decode(e.Authority); block == nil || sha256.Sum256(block.Bytes) != token.Authority {
		return Enrolled{}, fmt.Errorf("join %s: the authority in the answer is not the token's", base)
	}
	return e, e.check(id)
}

// check says why what the master gave cannot be used.
func (e Enrolled) check(id cluster.AgentID) error {
	cert, err := e.Pair.TLS()
	if err == nil && cert.Leaf.Subject.CommonName != string(id) {
		err = fmt.Errorf("it names %q", cert.Leaf.Subject.CommonName)
	}
	if err != nil {
		return fmt.Errorf("the certificate that the master gave to %s: %w", id, err)
	}
	return nil
}

// ask sends a request for a certificate.
func ask(ctx context.Context, base, path string, conf *tls.Config, dial func(context.Context, string, string) (net.Conn, error), message any) (Issued, error) {
	var issued Issued
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return issued, problem.New(problem.Invalid, "master address %q is not of the form https://host:port", base)
	}
	body, err := json.Marshal(message)
	if err != nil {
		return issued, err
	}
	ctx, cancel := context.WithTimeout(ctx, enrollTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return issued, err
	}
	req.Header.Set("Content-Type", "application/json")
	hc := &http.Client{
		Transport: &http.Transport{TLSClientConfig: conf, DialContext: dial, DisableKeepAlives: true},
		// A master sends nobody elsewhere, least of all with a secret.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := hc.Do(req)
	if err != nil {
		return issued, problem.New(problem.Unavailable, "the master does not answer, or is not the one: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return issued, problem.Read(resp)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, MaxMessage)).Decode(&issued); err != nil {
		return issued, fmt.Errorf("answer of the master: %w", err)
	}
	return issued, nil
}
