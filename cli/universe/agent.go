package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/runtime/agent"
	"github.com/universe-dcos/universe/runtime/agent/fetch"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery/names"
	"github.com/universe-dcos/universe/runtime/master/pki"
	"github.com/universe-dcos/universe/runtime/runner/containerd"
)

func agentCommand() *cobra.Command {
	cmd := daemonCommand("agent", defaultAgentFile, runAgent, &cobra.Command{
		Short: "Run an agent: a node that runs tasks in containers",
		Long: `Run an agent: a node that runs tasks in containers, with a containerd of its
own. When the agent ends, its containers and its containerd go on; the next
agent with the same configuration takes them over. It needs root, for
containers, mounts and cgroups are root's to make. A machine gets its
configuration and its certificate by universe agent join.`,
	})
	cmd.AddCommand(joinCommand())
	return cmd
}

// runAgent wires an agent and runs it until ctx is done.
func runAgent(ctx context.Context, cfg agentConfig) (err error) {
	log, err := logger(cfg.LogLevel)
	if err != nil {
		return err
	}
	node, gpus, wrong := cfg.node()
	if len(wrong) > 0 {
		return wrong.err()
	}
	_, roots, err := loadTLS(cfg.TLS)
	if err != nil {
		return err
	}
	keeper, err := pki.NewKeeper(cfg.TLS.Cert, cfg.TLS.Key, cfg.Master, roots, log)
	if err != nil {
		return err
	}
	daemon := cfg.daemon(log)
	if err := daemon.Start(ctx); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: keeper.Client(), MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	local, parts, err := agentNames(ctx, cfg, client, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.close()) }()
	run, err := containerd.New(ctx, cfg.runner(daemon, gpus, local.resolvers, log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	options := cfg.agent(node, log)
	options.TLS, options.Runner = keeper.Client(), run
	a, err := agent.New(options)
	if err != nil {
		return err
	}
	// containerd is kept alive beside the agent and outlives it.
	return runAll(ctx, append(parts, a.Run, daemon.Supervise, keeper.Run)...)
}

// runAll runs parts until ctx is done or one of them ends; then all of them end.
func runAll(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, len(parts))
	for _, run := range parts {
		go func() {
			err := quiet(run(ctx))
			cancel(err)
			ended <- err
		}()
	}
	var errs []error
	for range parts {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

func (c agentConfig) hostname() string {
	if c.Hostname != "" {
		return c.Hostname
	}
	return c.ID
}

// daemon is the agent's own containerd.
func (c agentConfig) daemon(log *slog.Logger) *containerd.Daemon {
	return &containerd.Daemon{Bundle: c.Bundle, Root: filepath.Join(c.Dir, "containerd"), State: c.Run, Cgroup: c.Cgroup, Logger: log}
}

func (c agentConfig) namespace() string { return containerd.Namespace(cluster.AgentID(c.ID)) }

func (c agentConfig) runner(d *containerd.Daemon, gpus []string, resolvers []netip.Addr, log *slog.Logger) containerd.Options {
	o := d.Options(c.namespace())
	o.PlainHTTP, o.Auth = c.Registries, c.RegistryAuth
	o.Hostname, o.Host = c.hostname(), c.Host
	for _, h := range c.HostPaths {
		o.HostPaths = append(o.HostPaths, containerd.HostPath{Path: h.Path, Writable: h.Writable})
	}
	o.Subnet, o.CNIConfDir = c.Network.Subnet, c.Network.CNIConfDir
	o.GPUs = append([]string{}, gpus...) // not nil: nil is for the runner to look
	if o.Resolvers = resolvers; len(resolvers) > 0 {
		o.Search = []string{names.Domain}
	}
	o.Logger = log
	return o
}

// agent is what the file says to the agent itself; its TLS and Runner are to come.
func (c agentConfig) agent(node cluster.Agent, log *slog.Logger) agent.Config {
	images := c.Images.complete()
	return agent.Config{
		ID: node.ID, Hostname: node.Hostname, Host: node.Host, MasterURL: c.Master, StateDir: filepath.Join(c.Dir, "state"),
		Total: node.Total, Attributes: node.Attributes, Domain: node.Domain, Reserved: node.Reserved,
		Fetch: fetch.New(c.Fetch.options()), ImagesHigh: images.PruneAbove, ImagesLow: images.PruneTo,
		ListenAddr: c.Listen, Version: version, Logger: log,
	}
}

func (f fetchConfig) options() fetch.Options {
	return fetch.Options{FileRoots: f.FileRoots, RequireChecksum: f.RequireChecksum, MaxBytes: f.MaxSize * mebi, Timeout: f.Timeout}
}

// cleanAgent ends every container of an agent and its containerd. It is for a
// cluster that goes away.
func cleanAgent(ctx context.Context, c agentConfig) error {
	d := c.daemon(slog.New(slog.DiscardHandler))
	if err := d.Stop(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(c.Run); err != nil {
		return fmt.Errorf("removing %s: %w", c.Run, err)
	}
	return nil
}
