package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/api/native"
	"github.com/universe-dcos/universe/runtime/master"
	"github.com/universe-dcos/universe/runtime/master/pki"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// joinable is a running master that makes its own authority. It gives its
// addresses for people and for agents.
func joinable(t *testing.T) (people, agents string) {
	t.Helper()
	cert, roots, join, err := masterConfig{Dir: t.TempDir(), Registry: "10.0.0.1:5000"}.identity()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m, err := master.New(ctx, master.Config{Store: mem.New(), Join: join})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 3)
	serveOn := func(h http.Handler, wrap func(net.Listener) net.Listener) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		srv := &http.Server{Handler: h}
		go func() { done <- quiet(srv.Serve(wrap(ln))) }()
		t.Cleanup(func() { _ = srv.Close() })
		return addr
	}
	people = "http://" + serveOn(native.New(native.Config{Cluster: m}), func(l net.Listener) net.Listener { return l })
	agents = "https://" + serveOn(m.Handler(), func(l net.Listener) net.Listener { return tls.NewListener(l, pki.MasterServer(cert, roots)) })
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return people, agents
}

// runCommand runs a universe command and gives its standard output.
func runCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := root()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&bytes.Buffer{})
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestJoin makes a machine an agent with the commands that a person types.
func TestJoin(t *testing.T) {
	people, agents := joinable(t)
	token, err := runCommand(t, "master", "token", "--cluster", people)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, config, tokenFile := filepath.Join(dir, "agent"), filepath.Join(dir, "agent.yaml"), filepath.Join(dir, "token")
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"agent", "join", "--master", agents, "--token", "@" + tokenFile, "--id", "a7", "--dir", file, "--config", config, "--mem", "512"}
	out, err := runCommand(t, args...)
	if err != nil || !strings.Contains(out, "a7") || !strings.Contains(out, config) {
		t.Fatalf("%q, %v", out, err)
	}
	var cfg agentConfig
	if err := readConfig(config, &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.ID != "a7" || cfg.Host != "127.0.0.1" || cfg.Master != agents || len(cfg.Registries) != 1 || cfg.Resources.Mem != 512 ||
		cfg.Resources.CPUs <= 0 || cfg.Resources.Disk <= 0 || cfg.Listen != "127.0.0.1:5052" {
		t.Errorf("configuration %+v", cfg)
	}
	if strings.Contains(out, strings.TrimSpace(token)) {
		t.Error("the token is in the output")
	}
	if data, err := os.ReadFile(config); err != nil || bytes.Contains(data, []byte("universe1")) {
		t.Errorf("the configuration holds the token, or is not there: %v", err)
	}
	_, roots, err := loadTLS(cfg.TLS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.NewKeeper(cfg.TLS.Cert, cfg.TLS.Key, cfg.Master, roots, nil); err != nil {
		t.Error(err)
	}
	if _, err := runCommand(t, args...); !problem.Is(err, problem.Exists) {
		t.Errorf("a machine that is an agent: %v", err)
	}
	if _, err := runCommand(t, append(args, "--force")...); !problem.Is(err, problem.Unauthorized) {
		t.Errorf("the same token again: %v", err)
	}
}

func TestJoin_refusesBeforeItAsks(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		args  []string
		class problem.Class
	}{
		"no token":    {[]string{"--token", "hello"}, problem.Invalid},
		"a lost file": {[]string{"--token", "@" + filepath.Join(dir, "none")}, problem.Invalid},
		"a bad id":    {[]string{"--token", "x", "--id", "A_1"}, problem.Invalid},
		"bad ports":   {[]string{"--token", "x", "--ports", "5-1"}, problem.Invalid},
	} {
		args := append([]string{"agent", "join", "--master", "https://127.0.0.1:1", "--dir", dir, "--config", filepath.Join(dir, "agent.yaml")}, c.args...)
		if _, err := runCommand(t, args...); !problem.Is(err, c.class) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIdentity_keepsTheAuthority(t *testing.T) {
	c := masterConfig{Dir: t.TempDir()}
	_, first, _, err := c.identity()
	if err != nil {
		t.Fatal(err)
	}
	_, second, _, err := c.identity()
	if err != nil || !first.Equal(second) {
		t.Errorf("another authority after a restart: %v", err)
	}
	c.TLS.Cert = "none"
	if _, _, join, err := c.identity(); err == nil || join != nil {
		t.Errorf("certificates that are not there: %v", err)
	}
}

func TestAgentIDOf(t *testing.T) {
	for host, want := range map[string]string{"node-1": "node-1", "Node.Example.COM": "node-example-com", "_x_": "x", strings.Repeat("a", 70): strings.Repeat("a", 63)} {
		if got := agentIDOf(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}
