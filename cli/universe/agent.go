package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/agent"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/master/pki"
	"github.com/universe-dcos/universe/runtime/runner/containerd"
)

const mebi = 1 << 20

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
func runAgent(ctx context.Context, cfg agentConfig) error {
	log, err := logger(cfg.LogLevel)
	if err != nil {
		return err
	}
	total, err := cfg.Resources.parse()
	if err != nil {
		return err
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
	run, err := containerd.New(ctx, cfg.runner(daemon, log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	a, err := agent.New(agent.Config{
		ID: cluster.AgentID(cfg.ID), Hostname: cfg.hostname(), Host: cfg.Host, MasterURL: cfg.Master,
		TLS: keeper.Client(), StateDir: filepath.Join(cfg.Dir, "state"), Runner: run, Total: total,
		Attributes: cfg.Attributes, ListenAddr: cfg.Listen, Version: version, Logger: log,
	})
	if err != nil {
		return err
	}
	// containerd is kept alive beside the agent and outlives it.
	return runAll(ctx, a.Run, daemon.Supervise, keeper.Run)
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

func (c agentConfig) runner(d *containerd.Daemon, log *slog.Logger) containerd.Options {
	o := d.Options(c.namespace())
	o.PlainHTTP = c.Registries
	o.Hostname, o.Host = c.hostname(), c.Host
	o.Logger = log
	return o
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

// parse turns an agent's resources into the runtime's integers.
func (r agentResources) parse() (cluster.Resources, error) {
	bad := func(key string, value any, want string) (cluster.Resources, error) {
		return cluster.Resources{}, problem.New(problem.Invalid, "resources.%s: %v is not %s", key, value, want)
	}
	const most = 1 << 40 // MiB; far beyond any machine, and no product overflows
	switch {
	case !(r.CPUs > 0 && r.CPUs <= 1<<20):
		return bad("cpus", r.CPUs, "a number of CPUs above 0")
	case r.Mem <= 0 || r.Mem > most:
		return bad("mem", r.Mem, "an amount of MiB above 0")
	case r.Disk < 0 || r.Disk > most:
		return bad("disk", r.Disk, "an amount of MiB")
	}
	ports, err := parsePorts(r.Ports)
	if err != nil {
		return bad("ports", r.Ports, "a list such as 31000-32000,8080")
	}
	return cluster.Resources{CPU: int64(math.Round(r.CPUs * 1000)), Mem: r.Mem * mebi, Disk: r.Disk * mebi, Ports: ports}, nil
}

// parsePorts reads "31000-32000,8080".
func parsePorts(s string) (cluster.Ports, error) {
	var rs []cluster.PortRange
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		l, err1 := strconv.ParseUint(lo, 10, 16)
		h, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil || l == 0 || l > h {
			return nil, fmt.Errorf("%q is no range of ports", part)
		}
		rs = append(rs, cluster.PortRange{Lo: uint16(l), Hi: uint16(h)})
	}
	return cluster.NewPorts(rs...), nil
}
