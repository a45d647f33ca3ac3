package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry/server"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/master"
	"github.com/universe-dcos/universe/runtime/master/pki"
	"github.com/universe-dcos/universe/runtime/store/bolt"
)

const (
	// readHeaderTimeout bounds how long a client may take to send its headers.
	readHeaderTimeout = 10 * time.Second
	// drainTimeout is how long open requests may go on after the master was told to end.
	drainTimeout = 5 * time.Second
)

func masterCommand() *cobra.Command {
	cmd := daemonCommand("master", "/etc/universe/master.yaml", runMaster, &cobra.Command{
		Short: "Run a master: catalog, registry, scheduler, API and site",
	})
	cmd.AddCommand(tokenCommand())
	return cmd
}

// runMaster wires a master and serves until ctx is done.
func runMaster(ctx context.Context, cfg masterConfig) (err error) {
	log, err := logger(cfg.LogLevel)
	if err != nil {
		return err
	}
	for key, value := range map[string]string{"dir": cfg.Dir, "listen": cfg.Listen, "agents": cfg.Agents, "registry": cfg.Registry} {
		if value == "" {
			return problem.New(problem.Invalid, "the master's configuration has no %q", key)
		}
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return err
	}
	cert, roots, join, err := cfg.identity()
	if err != nil {
		return err
	}
	store, err := bolt.Open(filepath.Join(cfg.Dir, "log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	named, err := cfg.discovery()
	if err != nil {
		return problem.New(problem.Invalid, "the master's configuration: %w", err)
	}
	m, err := master.New(ctx, master.Config{Store: store, Logger: log, Join: join, Names: named,
		AgentTLS: func(id cluster.AgentID) *tls.Config { return pki.MasterClient(cert, roots, id) }})
	if err != nil {
		return err
	}
	house, err := newHouse(cfg, m, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, house.close(context.WithoutCancel(ctx))) }()

	local, err := masterNames(ctx, cfg, m.Names(), log)
	if err != nil {
		return problem.New(problem.Invalid, "the master's configuration: %w", err)
	}
	defer func() { err = errors.Join(err, local.close()) }()
	servers := []listener{
		{name: "people", addr: cfg.Listen, handler: house.public()},
		{name: "agents", addr: cfg.Agents, handler: m.Handler(), tls: pki.MasterServer(cert, roots)},
		{name: "image pulls", addr: cfg.Registry, handler: readOnly(house.registry)},
	}
	return serveAll(ctx, log, servers, func(ctx context.Context) error { return runAll(ctx, m.Run, local.serve) })
}

// listener is one address and who answers there.
type listener struct {
	name, addr string
	handler    http.Handler
	tls        *tls.Config
}

// serveAll listens on every address and runs everything until ctx is done or
// one of them fails; then all of them end.
func serveAll(ctx context.Context, log *slog.Logger, ls []listener, run func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, len(ls)+1)
	go func() { done <- run(ctx) }()
	started := 1
	for _, l := range ls {
		ln, err := net.Listen("tcp", l.addr)
		if err != nil {
			cancel(nil)
			err = problem.New(problem.Unavailable, "listening for %s: %w", l.name, err).WithHint("free the address, or choose another one")
			for range started {
				err = errors.Join(err, quiet(<-done))
			}
			return err
		}
		if l.tls != nil {
			ln = tls.NewListener(ln, l.tls)
		}
		started++
		go func() { done <- serve(ctx, ln, l.handler, log) }()
		log.Info("listening", "for", l.name, "addr", l.addr)
	}
	var errs []error
	for range started {
		err := quiet(<-done)
		errs = append(errs, err)
		cancel(err)
	}
	return errors.Join(errs...)
}

// quiet drops what only says that we were told to end.
func quiet(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// serve answers on ln until ctx is done, then lets open requests finish for a while.
func serve(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	// No write time-out: logs, events and large blobs last as long as they last.
	srv := &http.Server{Handler: h, ReadHeaderTimeout: readHeaderTimeout, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx }}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		return errors.Join(quiet(srv.Close()), quiet(<-failed))
	}
	return quiet(<-failed)
}

// openRegistry opens the embedded registry below the master's directory.
func openRegistry(cfg masterConfig, log *slog.Logger, onPush func(server.Event)) (*server.Server, error) {
	reg, err := server.New(server.Options{Root: filepath.Join(cfg.Dir, "registry"), Logger: log, OnPush: onPush})
	if err != nil {
		return nil, fmt.Errorf("the registry: %w", err)
	}
	return reg, nil
}
