package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

// authority makes certificates for the tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "test"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(name string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTLS runs over real sockets of the loopback: only the master may use the
// agent's API, and the agent shows its certificate to the master.
func TestTLS_theAPIServesTheMasterOnly(t *testing.T) {
	ca := newAuthority(t)
	hellos := make(chan cluster.Hello, 1)
	names := make(chan string, 1)
	master := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var h cluster.Hello
		if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
			t.Errorf("hello: %v", err)
		}
		names <- r.TLS.PeerCertificates[0].Subject.CommonName
		hellos <- h
		_ = json.NewEncoder(w).Encode(cluster.Order{Kind: cluster.OrderWelcome, Session: "s"})
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	master.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{ca.issue("master")},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool}
	master.StartTLS()
	defer master.Close()
	a, err := New(Config{
		ID: "a1", Host: "127.0.0.1", MasterURL: master.URL, StateDir: t.TempDir(), Runner: &fake.Runner{}, ListenAddr: "127.0.0.1:0",
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{ca.issue("a1")}, RootCAs: ca.pool, ServerName: "master"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	hello := <-hellos
	if name := <-names; name != "a1" {
		t.Errorf("certificate shown to the master: got %q, want a1", name)
	}
	for _, c := range []struct {
		who  string
		conf *tls.Config
		want bool
	}{
		{"the master", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{ca.issue("master")}, RootCAs: ca.pool, ServerName: "a1"}, true},
		{"another agent", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{ca.issue("a2")}, RootCAs: ca.pool, ServerName: "a1"}, false},
		{"nobody", &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: ca.pool, ServerName: "a1"}, false},
		{"a master of another cluster", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{newAuthority(t).issue("master")}, RootCAs: ca.pool, ServerName: "a1"}, false},
	} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.conf, DisableKeepAlives: true}}
		resp, err := client.Get(hello.Agent.URL + cluster.PathTaskLog + "?task=nobody.1")
		if got := err == nil && resp.StatusCode == http.StatusNotFound; got != c.want {
			t.Errorf("%s asks for a log: served %t (%v), want %t", c.who, got, err, c.want)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestNew_refusesWhatCannotWork(t *testing.T) {
	good := Config{ID: "a1", Host: "h", MasterURL: "http://m:1", StateDir: t.TempDir(), Runner: &fake.Runner{}, BootID: "b"}
	if _, err := New(good); err != nil {
		t.Fatalf("a good configuration: %v", err)
	}
	for name, change := range map[string]func(*Config){
		"no id":             func(c *Config) { c.ID = "" },
		"no host":           func(c *Config) { c.Host = "" },
		"no state":          func(c *Config) { c.StateDir = "" },
		"no runner":         func(c *Config) { c.Runner = nil },
		"no master":         func(c *Config) { c.MasterURL = "" },
		"odd master":        func(c *Config) { c.MasterURL = "ftp://m" },
		"https without TLS": func(c *Config) { c.MasterURL = "https://m:1" },
		"images to 101 %":   func(c *Config) { c.ImagesHigh = 101 },
		"images upwards":    func(c *Config) { c.ImagesHigh, c.ImagesLow = 50, 60 },
		"negative total":    func(c *Config) { c.Total.CPU = -1 },
		"a zone alone":      func(c *Config) { c.Domain = &cluster.Domain{Zone: "z"} },
		"TLS without https": func(c *Config) { c.TLS = &tls.Config{MinVersion: tls.VersionTLS13} },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
