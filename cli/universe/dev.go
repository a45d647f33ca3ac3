package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/config"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
)

// devStartTimeout is how long master and agents together may take to come up.
const devStartTimeout = 60 * time.Second

// devFlags are the flags of `universe dev`.
type devFlags struct {
	dir, bundle, listen string
	agents              int
	cpus                float64
	mem, disk           int64 // MiB
	clean               bool
	verbose             bool
}

func devCommand() *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole small cluster on this machine, until interrupted",
		Long: `Run a master and some agents on this machine, until interrupted.

Each agent lives in a network namespace of its own, with its own containerd.
The master listens on loopback and on the cluster's own bridge. Everything is
below --dir, and all that runs is taken away at the end; images and published
packages stay in --dir for the next time. It needs root: network namespaces,
mounts and cgroups are root's to make. A containerd that runs on this machine
already is not touched.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.clean {
				return cleanDev(cmd.Context(), f, cmd.OutOrStdout())
			}
			return runDev(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.dir, "dir", defaultDevDir(), "directory for everything the cluster keeps")
	fl.StringVar(&f.bundle, "bundle", defaultBundle(), "directory of containerd, its shim and runc")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:8080", "address of the API, the site and the registry")
	fl.IntVar(&f.agents, "agents", 2, "number of agents")
	fl.Float64Var(&f.cpus, "agent-cpus", 2, "CPUs that each agent offers")
	fl.Int64Var(&f.mem, "agent-mem", 4096, "memory that each agent offers, in MiB")
	fl.Int64Var(&f.disk, "agent-disk", 10240, "disk that each agent offers, in MiB")
	fl.BoolVar(&f.clean, "clean", false, "take away what an earlier run left running, and exit")
	fl.BoolVar(&f.verbose, "verbose", false, "show the logs of master and agents")
	return cmd
}

// runDev brings the cluster up, keeps it until ctx is done and takes it down.
func runDev(ctx context.Context, f devFlags, out io.Writer) (err error) {
	if err := preflight(f); err != nil {
		return err
	}
	release, err := lockDir(f.dir)
	if err != nil {
		return err
	}
	defer release()
	if err := addressFree(f.listen); err != nil {
		return err
	}
	c, err := newDevCluster(f)
	if err != nil {
		return err
	}
	defer func() {
		// The end must happen although ctx is done.
		err = errors.Join(err, c.remove(context.WithoutCancel(ctx)))
	}()
	if err := c.net.Create(f.agents); err != nil {
		return problem.New(problem.Internal, "the cluster's network: %w", err).WithHint("run universe doctor")
	}
	if err := c.writeConfigs(); err != nil {
		return err
	}
	logs, err := c.openLogs(f.verbose)
	if err != nil {
		return err
	}
	defer logs.close()

	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	for _, ch := range c.children(logs) {
		all.Go(func() { supervise(running, ch, log) })
	}
	// Whatever happens below, the children end before the network goes.
	defer func() { stop(); all.Wait() }()

	if err := c.waitUp(ctx); err != nil {
		return err
	}
	forget, err := c.attach()
	if err != nil {
		return err
	}
	defer forget()
	c.greet(out)
	<-ctx.Done()
	fmt.Fprintln(out, "\nStopping the cluster …")
	return nil
}

// preflight refuses to start on a machine that cannot carry a node.
func preflight(f devFlags) error {
	var details []problem.Detail
	for _, x := range examine(f.dir, f.bundle) {
		if !x.OK && !x.Optional {
			details = append(details, problem.Detail{Pointer: x.Name, Message: x.Seen + "; " + x.Mend})
		}
	}
	if len(details) > 0 {
		return problem.New(problem.Invalid, "this machine cannot run a cluster yet").WithDetails(details...).
			WithHint("universe doctor shows every check")
	}
	return nil
}

// addressFree refuses an address that somebody listens on already, before
// anything is made.
func addressFree(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return problem.New(problem.Unavailable, "--listen %s: %w", addr, err).WithHint("choose another address, such as --listen 127.0.0.1:8090")
	}
	return ln.Close()
}

// lockDir makes dir and holds it for this process.
func lockDir(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, problem.New(problem.Invalid, "the cluster's directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, problem.New(problem.Invalid, "the cluster's directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // the lock failed: that error is the one to tell
		return nil, problem.New(problem.Exists, "another universe dev uses %s", dir).WithHint("stop it first, or choose another directory with --dir")
	}
	return func() { _ = f.Close() }, nil // closing releases the lock
}

// waitUp waits until the master answers and every agent is active.
func (c *devCluster) waitUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, devStartTimeout)
	defer cancel()
	api, err := client.New(c.url(), nil)
	if err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	active := 0
	for {
		agents, err := api.Agents(ctx)
		if last = err; err == nil {
			active = 0
			for _, a := range agents {
				if a.State == "active" {
					active++
				}
			}
			if active >= c.flags.agents {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return context.Canceled
			}
			return problem.New(problem.Unavailable, "the cluster did not come up within %s: %d of %d agents are active (%v)", devStartTimeout, active, c.flags.agents, last).
				WithHint("the logs are in %s", filepath.Join(c.flags.dir, "logs"))
		case <-tick.C:
		}
	}
}

// attach makes the cluster known to the dcos command of this user, and
// attaches to it where no other cluster is. The returned function undoes it.
func (c *devCluster) attach() (forget func(), err error) {
	dir, err := config.Dir(os.Getenv)
	if err != nil {
		return nil, err
	}
	name := c.name()
	err = config.Update(dir, func(cfg *config.Config) error {
		if other, taken := cfg.Clusters[name]; taken && other.URL != c.url() {
			name += "-" + c.net.Tag // another cluster of this kind runs, or was killed
		}
		return cfg.Put(name, config.Cluster{URL: c.url(), Registry: c.flags.listen + "/universe"}, cfg.Attached == "")
	})
	if err != nil {
		return nil, err
	}
	return func() {
		err := config.Update(dir, func(cfg *config.Config) error {
			if cfg.Clusters[name].URL == c.url() {
				cfg.Remove(name)
			}
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, "universe: the cluster is still in the dcos configuration:", err)
		}
	}, nil
}

func (c *devCluster) greet(out io.Writer) {
	fmt.Fprintf(out, `A cluster is running: 1 master, %d agents.

  site      %s
  API       %s/v1
  registry  %s/universe
  logs      %s

In another terminal:  dcos package search
With another user:    export DCOS_URL=%s
Stop it with Ctrl-C.
`, c.flags.agents, c.url(), c.url(), c.flags.listen, filepath.Join(c.flags.dir, "logs"), c.url())
}

// children are the processes of the cluster: the master here, each agent in
// its namespace.
func (c *devCluster) children(logs *devLogs) []child {
	exe := "/proc/self/exe"
	if path, err := os.Executable(); err == nil {
		exe = path
	}
	out := []child{{name: "master", argv: []string{exe, "master", "--config", c.masterFile(), "--until-stdin-closes"},
		start: (*exec.Cmd).Start, log: logs.of("master")}}
	for i := range c.flags.agents {
		id := string(c.agentID(i))
		out = append(out, child{name: id, argv: []string{exe, "agent", "--config", c.agentFile(i), "--until-stdin-closes"},
			start: func(cmd *exec.Cmd) error { return c.net.Start(i, cmd) }, log: logs.of(id)})
	}
	return out
}
