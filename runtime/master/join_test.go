package master

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/master/pki"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// startJoin is a master that machines can join, without any agent.
func startJoin(t *testing.T) (*rig, *pki.Authority, *httptest.Server) {
	t.Helper()
	ca, err := pki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, memLog(), func(c *Config) {
		c.TrustHello = false
		c.Join = &JoinConfig{Authority: ca, Registry: "10.0.0.1:5000"}
	})
	server := httptest.NewUnstartedServer(r.master.Handler())
	server.TLS = pki.MasterServer(issue(t, ca.Master), ca.Pool())
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(func() { r.stop(); server.Close() })
	return r, ca, server
}

func mint(t *testing.T, r *rig, ask client.MintToken) pki.Token {
	t.Helper()
	minted, err := r.client.MintToken(testContext(t), ask)
	if err != nil {
		t.Fatal(err)
	}
	token, err := pki.ParseToken(minted.Token)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestJoin mints a token over the API, joins with it, and speaks as the agent.
func TestJoin(t *testing.T) {
	r, ca, server := startJoin(t)
	ctx := testContext(t)
	token := mint(t, r, client.MintToken{})
	e, err := pki.Enroll(ctx, server.URL, token, "a1")
	if err != nil {
		t.Fatal(err)
	}
	if e.Registry != "10.0.0.1:5000" || !e.LocalIP.IsLoopback() || string(e.Authority) != string(ca.CertPEM()) {
		t.Errorf("got %+v", e)
	}
	_, err = pki.Enroll(ctx, server.URL, token, "a2")
	if p := problem.Of(err); p.Class != problem.Unauthorized || !strings.Contains(err.Error(), "not known") || !strings.Contains(p.Hint, "universe master token") {
		t.Errorf("a token was good twice, or what to do is not said: %v (%s)", err, p.Hint)
	}
	dir := t.TempDir()
	if err := e.Pair.Save(dir, "agent"); err != nil {
		t.Fatal(err)
	}
	k, err := pki.NewKeeper(filepath.Join(dir, "agent.crt"), filepath.Join(dir, "agent.key"), server.URL, ca.Pool(), nil)
	if err != nil {
		t.Fatal(err)
	}
	a1 := newFakeAgent(t, "a1")
	a1.http = httpClient(t, k.Client())
	a1.mustConnect(server.URL)
	if a := r.master.View().Agent("a1"); a == nil || a.State != cluster.AgentActive {
		t.Errorf("a1 is %+v", a)
	}
	a2 := newFakeAgent(t, "a2")
	a2.http = a1.http
	if _, err := a2.connect(ctx, server.URL); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a1's certificate speaks for a2: %v", err)
	}
}

func TestJoin_refuses(t *testing.T) {
	r, _, server := startJoin(t)
	ctx := testContext(t)
	if _, err := pki.Enroll(ctx, server.URL, mint(t, r, client.MintToken{}), "a1"); err != nil {
		t.Fatal(err)
	}
	token := mint(t, r, client.MintToken{})
	if _, err := pki.Enroll(ctx, server.URL, token, "a1"); !problem.Is(err, problem.Conflict) {
		t.Errorf("an agent that is there: %v", err)
	}
	for _, id := range []cluster.AgentID{"", "A", pki.MasterName} {
		if _, err := pki.Enroll(ctx, server.URL, token, id); !problem.Is(err, problem.Invalid) {
			t.Errorf("agent %q: %v", id, err)
		}
	}
	// The failures did not use the token up.
	if _, err := pki.Enroll(ctx, server.URL, token, "a2"); err != nil {
		t.Error(err)
	}
	named := mint(t, r, client.MintToken{Agent: "a1"})
	if _, err := pki.Enroll(ctx, server.URL, named, "a3"); !problem.Is(err, problem.Forbidden) {
		t.Errorf("a token of another agent: %v", err)
	}
	if _, err := pki.Enroll(ctx, server.URL, named, "a1"); err != nil {
		t.Errorf("an agent joins again with a token of its own: %v", err)
	}
	forged := named
	forged.Secret = strings.Repeat("A", len(forged.Secret))
	if _, err := pki.Enroll(ctx, server.URL, forged, "a4"); !problem.Is(err, problem.Unauthorized) {
		t.Errorf("a forged secret: %v", err)
	}
	other := token
	other.Authority[0] ^= 1
	if _, err := pki.Enroll(ctx, server.URL, other, "a4"); !problem.Is(err, problem.Unavailable) {
		t.Errorf("another cluster's token: %v", err)
	}
	for _, ask := range []client.MintToken{{Agent: "A"}, {Life: -1}, {Life: cluster.Millis(MaxTokenLife/time.Millisecond) + 1}} {
		if _, err := r.client.MintToken(ctx, ask); !problem.Is(err, problem.Invalid) {
			t.Errorf("%+v: %v", ask, err)
		}
	}
	without := start(t, memLog(), nil)
	if _, err := without.client.MintToken(ctx, client.MintToken{}); !problem.Is(err, problem.NotFound) {
		t.Errorf("a master without an authority: %v", err)
	}
}

// TestRenew asks for certificates as an agent, as nobody, and as one that is gone.
func TestRenew(t *testing.T) {
	r, ca, server := startJoin(t)
	ctx := testContext(t)
	e, err := pki.Enroll(ctx, server.URL, mint(t, r, client.MintToken{}), "a1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := e.Pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	request, _, err := pki.NewRequest("a2") // the name in it does not count
	if err != nil {
		t.Fatal(err)
	}
	conf := pki.AgentClient(cert, ca.Pool())
	a1 := newFakeAgent(t, "a1")
	a1.http = httpClient(t, conf)
	a1.mustConnect(server.URL)
	renew := func(a *fakeAgent) int {
		resp, err := a.post(ctx, pki.PathRenew, pki.Renew{Request: request})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if status := renew(a1); status != 200 {
		t.Errorf("a1: %d", status)
	}
	bare := conf.Clone()
	bare.Certificates = nil
	nobody := newFakeAgent(t, "a1")
	nobody.http, nobody.base = httpClient(t, bare), server.URL
	if status := renew(nobody); status != 401 {
		t.Errorf("nobody: %d", status)
	}
	if _, err := r.client.RemoveAgent(ctx, "a1"); err != nil {
		t.Fatal(err)
	}
	if status := renew(a1); status != 403 {
		t.Errorf("one that is gone: %d", status)
	}
	if _, err := r.client.MintToken(ctx, client.MintToken{Agent: "a1"}); !problem.Is(err, problem.Forbidden) {
		t.Errorf("a token for one that is gone: %v", err)
	}
}

func TestTokens_expire(t *testing.T) {
	ca, err := pki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m, err := New(t.Context(), Config{Store: mem.New(), Join: &JoinConfig{Authority: ca}})
		if err != nil {
			t.Fatal(err)
		}
		use := func(after time.Duration) error {
			minted, err := m.MintToken(context.Background(), client.MintToken{Life: 60_000})
			if err != nil {
				t.Fatal(err)
			}
			token, err := pki.ParseToken(minted.Token)
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(after)
			return m.joins.use(token.Secret, "a1", core.New().View())
		}
		if err := use(time.Minute); !problem.Is(err, problem.Unauthorized) {
			t.Errorf("after its time: %v", err)
		}
		if err := use(59 * time.Second); err != nil {
			t.Errorf("within its time: %v", err)
		}
		for i := range MaxTokens + 1 {
			if _, err = m.MintToken(context.Background(), client.MintToken{}); err != nil && i < MaxTokens {
				t.Fatal(i, err)
			}
		}
		if !problem.Is(err, problem.RateLimited) {
			t.Errorf("one token too many: %v", err)
		}
	})
}

// httpClient calls with a TLS configuration, until the end of the test.
func httpClient(t *testing.T, conf *tls.Config) *http.Client {
	tr := &http.Transport{TLSClientConfig: conf}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}
