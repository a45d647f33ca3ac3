package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"time"

	"github.com/universe-dcos/universe/catalog/api"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/registry/server"
	"github.com/universe-dcos/universe/runtime/agent"
	"github.com/universe-dcos/universe/runtime/api/native"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/master"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// startCluster runs a whole cluster in this process: a registry on disk, the
// catalog, a master with its log in memory and two agents whose containers are
// fake. It gives the URL of its API and ends with the test.
func startCluster(dir string, cleanup func(func())) (string, error) {
	front := httptest.NewUnstartedServer(nil)
	host := front.Listener.Addr().String()
	var idx *index.Index
	reg, err := server.New(server.Options{Root: filepath.Join(dir, "registry"), Durability: server.DurabilityOff,
		OnPush: func(e server.Event) { idx.Notify(host, e.Repository) }})
	if err != nil {
		return "", err
	}
	idx = index.New(nil, index.Registry{Host: host, Source: reg})
	ctx, cancel := context.WithCancel(context.Background())
	m, err := master.New(ctx, master.Config{Store: mem.New(), TrustHello: true})
	if err != nil {
		cancel()
		return "", err
	}
	agents := httptest.NewServer(m.Handler())
	mux := http.NewServeMux()
	catalog := api.New(api.Options{Index: idx, Planner: plan.New(idx, testEngine{m})})
	for _, path := range api.Paths() {
		mux.Handle(path, catalog)
		mux.Handle(path+"/", catalog)
	}
	mux.Handle("/v1/", native.New(native.Config{Cluster: m}))
	mux.Handle("/v2/", reg)
	front.Config.Handler = mux
	front.Start()
	done := make(chan error, 3)
	go func() { done <- m.Run(ctx) }()
	for _, id := range []string{"a1", "a2"} {
		ag, err := agent.New(agent.Config{
			ID: cluster.AgentID(id), Hostname: id + ".test", Host: "127.0.0.1", MasterURL: agents.URL,
			StateDir: filepath.Join(dir, id), Runner: &fake.Runner{Script: behave}, ListenAddr: "127.0.0.1:0",
			Attributes: map[string]string{"rack": "r-" + id},
			Total: cluster.Resources{CPU: 2000, Mem: 4 << 30, Disk: 10 << 30,
				Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31099})},
		})
		if err != nil {
			cancel()
			return "", err
		}
		go func() { done <- ag.Run(ctx) }()
	}
	cleanup(func() {
		cancel()
		front.CloseClientConnections()
		front.Close()
		agents.CloseClientConnections()
		for range 3 {
			<-done
		}
		agents.Close()
		_ = reg.Close(context.Background()) // its directory goes with the test
	})
	return front.URL, waitAgents(ctx, m, 2)
}

// waitAgents waits until so many agents have registered.
func waitAgents(ctx context.Context, m *master.Master, n int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for since := int64(0); m.View().AgentCount() < n; {
		_, next, _, err := m.Events(ctx, since)
		if err != nil {
			return fmt.Errorf("waiting for %d agents: %w", n, err)
		}
		since = next
	}
	return nil
}

// behave is what fake containers do: services run, actions print and end.
func behave(s runner.Spec) fake.Behaviour {
	argv := strings.Join(s.Task.Container.Command, " ")
	switch {
	case strings.HasPrefix(argv, "/bin/say"):
		return fake.Behaviour{Output: argv + "\n", Exit: &runner.Exit{}}
	case strings.HasPrefix(argv, "/bin/fail"):
		return fake.Behaviour{Output: "this goes wrong\n", Exit: &runner.Exit{Code: 42}}
	}
	return fake.Behaviour{Output: argv + "\n", Errors: "serving\n", TERM: &runner.Exit{}, ExecIO: session}
}

// session is what commands in a fake container do.
func session(ctx context.Context, s runner.Session) (int, error) {
	switch s.Argv[0] {
	case "cat":
		_, err := io.Copy(s.Stdout, s.Stdin)
		return 0, err
	case "fail":
		_, err := io.WriteString(s.Stderr, "it went wrong\n")
		return 7, err
	case "sizes": // one at the start, one after a change
		first := s.Size
		if _, err := fmt.Fprintf(s.Stdout, "%t %dx%d\n", s.TTY, first.Columns, first.Rows); err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case now := <-s.Resize:
			_, err := fmt.Fprintf(s.Stdout, "%dx%d\n", now.Columns, now.Rows)
			return 0, err
		}
	case "wait":
		_, err := io.WriteString(s.Stdout, "waiting\n")
		<-ctx.Done()
		return 0, errors.Join(err, ctx.Err())
	}
	_, err := fmt.Fprintln(s.Stdout, strings.Join(s.Argv, " "))
	return 0, err
}
