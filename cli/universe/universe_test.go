package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/universe-dcos/universe/cli/config"
	"github.com/universe-dcos/universe/cli/universe/devnet"
	"github.com/universe-dcos/universe/internal/problem"
)

func TestReadConfig_namesTheLineOfAnUnknownKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(file, []byte("id: a1\nhots: 10.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var cfg agentConfig
	err := readConfig(file, &cfg)
	if err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "hots") || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
	if err := readConfig(filepath.Join(t.TempDir(), "none"), &cfg); problem.Of(err).Hint == "" {
		t.Errorf("a missing file has no hint: %v", err)
	}
}

func TestReadOnly_refusesToPublish(t *testing.T) {
	reached := 0
	h := readOnly(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	client := &http.Client{Transport: inProcess{h}}
	for _, method := range []string{"PUT", "POST", "PATCH", "DELETE"} {
		req, _ := http.NewRequest(method, "http://x/v2/universe/spark/blobs/uploads/", nil)
		resp, err := client.Do(req)
		if err != nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v %v", method, resp, err)
		}
	}
	if resp, err := client.Get("http://x/v2/"); err != nil || resp.StatusCode != http.StatusOK || reached != 1 {
		t.Errorf("GET: %v %v, reached %d times", resp, err, reached)
	}
}

func TestInProcess_givesWhatTheHandlerWrote(t *testing.T) {
	client := &http.Client{Transport: inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Got", string(body))
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK) // must not count
		io.WriteString(w, "hello")
	})}}
	resp, err := client.Post("http://x/", "text/plain", strings.NewReader("tea"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusTeapot || string(body) != "hello" || resp.Header.Get("X-Got") != "tea" {
		t.Errorf("%d %q %q", resp.StatusCode, body, resp.Header.Get("X-Got"))
	}
}

func TestLines_prefixesWholeLines(t *testing.T) {
	var out bytes.Buffer
	var mu sync.Mutex
	l := &lines{mu: &mu, out: &out, pre: "a1 | "}
	io.WriteString(l, "one\ntw")
	io.WriteString(l, "o\nrest")
	if got, want := out.String(), "a1 | one\na1 | two\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSupervise_startsAgain runs a child that ends at once and one that ends
// when its input closes.
func TestSupervise_startsAgain(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	starts := 0
	c := child{name: "c", log: io.Discard, argv: []string{"true"}, start: func(cmd *exec.Cmd) error {
		if starts++; starts == 2 {
			cmd.Path, cmd.Args = "/bin/cat", []string{"cat"} // ends with its input only
			defer cancel()
		}
		return cmd.Start()
	}}
	supervise(ctx, c, slog.New(slog.DiscardHandler))
	if starts != 2 {
		t.Errorf("started %d times, want 2", starts)
	}
}

func TestServeAll_endsTogether(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ran := false
	err = serveAll(t.Context(), slog.New(slog.DiscardHandler), []listener{{name: "people", addr: taken.Addr().String(), handler: http.NotFoundHandler()}},
		func(ctx context.Context) error { <-ctx.Done(); ran = true; return ctx.Err() })
	if !problem.Is(err, problem.Unavailable) || !ran {
		t.Errorf("got %v; the loop ended: %v", err, ran)
	}
}

func TestExplain(t *testing.T) {
	got := explain(problem.New(problem.Invalid, "this machine cannot run a cluster yet").
		WithDetails(problem.Detail{Pointer: "root", Message: "user id 7"}).WithHint("universe doctor"))
	if want := "universe: this machine cannot run a cluster yet\n  root: user id 7\nhint: universe doctor\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTagOf_fitsAnInterfaceName(t *testing.T) {
	if tag := tagOf("/a/long/directory"); len("uv"+tag+"v32") > 15 || tag == tagOf("/another") {
		t.Errorf("tag %q", tag)
	}
}

func TestAttach_leavesOtherClustersAlone(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DCOS_CONFIG_HOME", dir)
	names := func() []string {
		cfg, err := config.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Names()
	}
	first := &devCluster{flags: devFlags{listen: "127.0.0.1:8080"}, net: devnet.Net{Tag: "aaaaa"}}
	second := &devCluster{flags: devFlags{listen: "127.0.0.1:8090"}, net: devnet.Net{Tag: "bbbbb"}}
	forgetFirst, err := first.attach()
	if err != nil {
		t.Fatal(err)
	}
	forgetSecond, err := second.attach()
	if err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, []string{"dev", "dev-bbbbb"}) {
		t.Errorf("clusters: %v", got)
	}
	forgetFirst()
	if got := names(); !slices.Equal(got, []string{"dev-bbbbb"}) {
		t.Errorf("after the first ended: %v", got)
	}
	forgetSecond()
	if got := names(); len(got) != 0 {
		t.Errorf("after both ended: %v", got)
	}
}
