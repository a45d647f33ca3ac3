package pki

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func open(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func agentCert(t *testing.T, a *Authority, id cluster.AgentID) tls.Certificate {
	t.Helper()
	pair, err := a.Agent(id, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return toTLS(t, pair)
}

func masterCert(t *testing.T, a *Authority) tls.Certificate {
	t.Helper()
	pair, err := a.Master("127.0.0.1", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	return toTLS(t, pair)
}

func toTLS(t *testing.T, pair Pair) tls.Certificate {
	t.Helper()
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// handshake runs TLS over a loopback connection and gives both sides' errors
// and the name the server saw.
func handshake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error, peer string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		raw, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		conn := tls.Server(raw, server)
		defer conn.Close()
		err = conn.Handshake()
		if err == nil {
			state := conn.ConnectionState()
			peer = PeerName(&state)
			_, err = conn.Write([]byte{1})
		}
		done <- err
	}()
	conn, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err == nil {
		// In TLS 1.3 the client learns only by reading that its certificate was refused.
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
	}
	return <-done, err, peer
}

func withoutCert(c *tls.Config) *tls.Config {
	c.Certificates = nil
	return c
}

// chain is a certificate that shows the authority's behind it, as a master's does.
func chain(cert, master tls.Certificate) tls.Certificate {
	cert.Certificate = append(cert.Certificate[:1:1], master.Certificate[1:]...)
	return cert
}

func TestHandshakes(t *testing.T) {
	a := open(t, t.TempDir())
	stranger := open(t, t.TempDir())
	master, a1, a2 := masterCert(t, a), agentCert(t, a, "a1"), agentCert(t, a, "a2")
	noCert := withoutCert(AgentClient(a1, a.Pool()))
	for _, tc := range []struct {
		name           string
		server, client *tls.Config
		ok             bool
		peer           string
	}{
		{"agent calls master", MasterServer(master, a.Pool()), AgentClient(a1, a.Pool()), true, "a1"},
		{"no client certificate: a name of nobody", MasterServer(master, a.Pool()), noCert, true, ""},
		{"no client certificate to an agent", AgentServer(a1, a.Pool()), withoutCert(MasterClient(master, a.Pool(), "a1")), false, ""},
		{"join", MasterServer(master, a.Pool()), JoinClient(a.NewToken().Authority), true, ""},
		{"join another cluster", MasterServer(masterCert(t, stranger), stranger.Pool()), JoinClient(a.NewToken().Authority), false, ""},
		{"join by an agent that poses as master", MasterServer(chain(a2, master), a.Pool()), JoinClient(a.NewToken().Authority), false, ""},
		{"agent of another cluster", MasterServer(master, a.Pool()), AgentClient(agentCert(t, stranger, "a1"), a.Pool()), false, ""},
		{"agent poses as master", MasterServer(a2, a.Pool()), AgentClient(a1, a.Pool()), false, ""},
		{"master calls agent", AgentServer(a1, a.Pool()), MasterClient(master, a.Pool(), "a1"), true, MasterName},
		{"agent calls agent", AgentServer(a1, a.Pool()), MasterClient(a2, a.Pool(), "a1"), false, ""},
		{"another agent answers", AgentServer(a2, a.Pool()), MasterClient(master, a.Pool(), "a1"), false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			serverErr, clientErr, peer := handshake(t, tc.server, tc.client)
			if ok := serverErr == nil && clientErr == nil; ok != tc.ok {
				t.Fatalf("ok = %v, want %v (server %v, client %v)", ok, tc.ok, serverErr, clientErr)
			}
			if tc.ok && peer != tc.peer {
				t.Errorf("peer = %q, want %q", peer, tc.peer)
			}
		})
	}
}

func TestOpen_keepsTheAuthority(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	if string(first.CertPEM()) != string(second.CertPEM()) {
		t.Error("a second Open made another authority")
	}
	// A certificate of before is still believed.
	if serverErr, clientErr, _ := handshake(t, MasterServer(masterCert(t, second), second.Pool()), AgentClient(agentCert(t, first, "a1"), first.Pool())); serverErr != nil || clientErr != nil {
		t.Errorf("handshake across Opens: server %v, client %v", serverErr, clientErr)
	}
}

func TestFiles_areForTheOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	pair, err := a.Agent("a1")
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Save(dir, "agent"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca.crt", "ca.key", "agent.crt", "agent.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", name, info.Mode().Perm())
		}
	}
	got, err := Load(dir, "agent")
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Cert) != string(pair.Cert) || string(got.Key) != string(pair.Key) {
		t.Error("Load gives another pair than Save got")
	}
}

func TestOpen_refuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(dir string) error
		want  string
	}{
		{"key lost", func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) }, "not both"},
		{"certificate lost", func(dir string) error { return os.Remove(filepath.Join(dir, "ca.crt")) }, "not both"},
		{"readable key", func(dir string) error { return os.Chmod(filepath.Join(dir, "ca.key"), 0o644) }, "others can read"},
		{"no PEM", func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("x"), 0o600) }, "no PEM block"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir)
			if err := tc.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open = %v, want an error with %q", err, tc.want)
			}
		})
	}
	t.Run("key of another cluster", func(t *testing.T) {
		dir, other := t.TempDir(), t.TempDir()
		open(t, dir)
		open(t, other)
		key, err := os.ReadFile(filepath.Join(other, "ca.key"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "ca.key"), key, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "does not belong") {
			t.Errorf("Open = %v", err)
		}
	})
}

func TestAgent_refusesNamesOfOthers(t *testing.T) {
	a := open(t, t.TempDir())
	for _, id := range []cluster.AgentID{"", MasterName, "A1", "a/1", cluster.AgentID(strings.Repeat("a", 64))} {
		if _, err := a.Agent(id); err == nil {
			t.Errorf("Agent(%q) gave a certificate", id)
		}
	}
}
