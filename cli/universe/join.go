package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/master"
	"github.com/universe-dcos/universe/runtime/master/pki"
)

const (
	defaultAgentFile = "/etc/universe/agent.yaml"
	defaultAgentDir  = "/var/lib/universe/agent"
	// defaultAgentPort is where a joined agent serves its API to the master.
	defaultAgentPort = "5052"
	// keepMem is the memory that a machine keeps for itself, in MiB.
	keepMem = 1024
)

// identity is the certificate that a master shows to agents, whom it believes,
// and how machines join.
func (c masterConfig) identity() (tls.Certificate, *x509.CertPool, *master.JoinConfig, error) {
	fail := func(err error) (tls.Certificate, *x509.CertPool, *master.JoinConfig, error) {
		return tls.Certificate{}, nil, nil, err
	}
	dir := c.Authority
	if dir == "" && c.TLS == (tlsFiles{}) {
		dir = filepath.Join(c.Dir, "authority")
	}
	var ca *pki.Authority
	var join *master.JoinConfig
	if dir != "" {
		var err error
		if ca, err = pki.Open(dir); err != nil {
			return fail(err)
		}
		join = &master.JoinConfig{Authority: ca, Registry: c.Registry}
	}
	if c.TLS != (tlsFiles{}) {
		cert, roots, err := loadTLS(c.TLS)
		return cert, roots, join, err
	}
	pair, err := ca.Master()
	if err != nil {
		return fail(err)
	}
	cert, err := pair.TLS()
	return cert, ca.Pool(), join, err
}

// joinFlags are what `universe agent join` is told.
type joinFlags struct {
	master, token, config string
	force                 bool
	agent                 agentConfig
}

func joinCommand() *cobra.Command {
	var f joinFlags
	cmd := &cobra.Command{
		Use: "join --master https://HOST:PORT --token TOKEN", Short: "Make this machine an agent of a cluster",
		Long: `Make this machine an agent of a cluster: get a certificate with a token, and
write the agent's configuration. The token comes from universe master token; it
is good once. What the agent gives to tasks is what the machine has, unless told.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return join(cmd.Context(), f, cmd.OutOrStdout()) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.master, "master", "", "the master's address for agents, https://host:port")
	fl.StringVar(&f.token, "token", "", "the join token, or @FILE to read it from a file")
	fl.StringVar(&f.config, "config", defaultAgentFile, "where to write the configuration")
	fl.BoolVar(&f.force, "force", false, "replace a configuration that is there")
	fl.StringVar(&f.agent.ID, "id", "", "the agent's id (default: made of the host name)")
	fl.StringVar(&f.agent.Dir, "dir", defaultAgentDir, "the agent's state")
	fl.StringVar(&f.agent.Host, "host", "", "address at which tasks are reached (default: the one that reaches the master)")
	fl.StringVar(&f.agent.Run, "run", "/run/universe/agent", "sockets of the running containerd")
	fl.StringVar(&f.agent.Bundle, "bundle", defaultBundle(), "directory of containerd, its shim and runc")
	fl.Float64Var(&f.agent.Resources.CPUs, "cpus", 0, "CPUs for tasks (default: all)")
	fl.Int64Var(&f.agent.Resources.Mem, "mem", 0, "MiB of memory for tasks (default: all but 1 GiB, at least half)")
	fl.Int64Var(&f.agent.Resources.Disk, "disk", 0, "MiB of disk for tasks (default: half of what is free below --dir)")
	fl.StringVar(&f.agent.Resources.Ports, "ports", "31000-32000", "host ports for tasks")
	fl.Int64Var(&f.agent.Resources.GPUs, "gpus", int64(len(machineGPUs())), "GPUs for tasks (default: all)")
	fl.StringToStringVar(&f.agent.Attributes, "attribute", nil, "`NAME=VALUE` that placement rules look at; again for more")
	fl.StringVar(&f.agent.Domain.Region, "region", "", "the region of its fault domain")
	fl.StringVar(&f.agent.Domain.Zone, "zone", "", "the zone of its fault domain")
	for _, name := range []string{"master", "token"} {
		_ = cmd.MarkFlagRequired(name) // fails for flags that are not there
	}
	return cmd
}

// join gets a certificate and writes the configuration of an agent.
func join(ctx context.Context, f joinFlags, out io.Writer) error {
	c, err := f.complete()
	if err != nil {
		return err
	}
	text := f.token
	if file, is := strings.CutPrefix(text, "@"); is {
		data, err := os.ReadFile(file)
		if err != nil {
			return problem.New(problem.Invalid, "reading the token: %w", err)
		}
		text = string(data)
	}
	token, err := pki.ParseToken(text)
	if err != nil {
		return problem.New(problem.Invalid, "%w", err).WithHint("mint one on the master: universe master token")
	}
	e, err := pki.Enroll(ctx, f.master, token, cluster.AgentID(c.ID))
	if err != nil {
		return err
	}
	certs := filepath.Join(c.Dir, "certs")
	if err := e.Pair.Save(certs, "agent"); err != nil {
		return err
	}
	c.TLS = certFiles(certs, "agent", filepath.Join(certs, "cluster-ca.crt"))
	if err := os.WriteFile(c.TLS.CA, e.Authority, 0o600); err != nil {
		return err
	}
	if c.Host == "" {
		c.Host = e.LocalIP.String()
	}
	c.Listen = net.JoinHostPort(c.Host, defaultAgentPort)
	if e.Registry != "" {
		c.Registries = []string{e.Registry}
	}
	if err := writeAgentFile(f.config, c); err != nil {
		return err
	}
	fmt.Fprintf(out, "This machine is agent %s of the cluster at %s.\nIts configuration is %s.\nStart it with: universe agent --config %s\n", c.ID, f.master, f.config, f.config)
	return nil
}

// complete checks what can be checked before the token is used, and fills in
// what was not said.
func (f joinFlags) complete() (agentConfig, error) {
	c := f.agent
	c.Master = f.master
	if _, err := os.Stat(f.config); err == nil && !f.force {
		return c, problem.New(problem.Exists, "%s is there: this machine seems to be an agent already", f.config).
			WithHint("replace it with --force, or write another one with --config")
	}
	name, err := os.Hostname()
	if err != nil {
		return c, err
	}
	c.Hostname = name
	if c.ID == "" {
		c.ID = agentIDOf(name)
	}
	if !pki.ValidAgentID(c.ID) {
		return c, problem.New(problem.Invalid, "agent id %.63q: it is 1 to 63 of a-z, 0-9 and -", c.ID).WithHint("give one with --id")
	}
	for _, dir := range []*string{&c.Dir, &c.Run, &c.Bundle} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return c, err
		}
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return c, problem.New(problem.Invalid, "the agent's directory: %w", err).WithHint("run as root, or name another one with --dir")
	}
	if err := c.Resources.complete(c.Dir); err != nil {
		return c, err
	}
	if _, _, wrong := c.node(); len(wrong) > 0 {
		return c, wrong.err()
	}
	return c, nil
}

// agentIDOf makes an agent id of a host name.
func agentIDOf(host string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, strings.ToLower(host))
	return strings.Trim(id[:min(len(id), 63)], "-")
}

// complete fills in what this machine has.
func (r *agentResources) complete(dir string) error {
	if r.CPUs == 0 {
		r.CPUs = float64(runtime.NumCPU())
	}
	if r.Mem == 0 {
		var info unix.Sysinfo_t
		if err := unix.Sysinfo(&info); err != nil {
			return fmt.Errorf("memory of this machine: %w", err)
		}
		all := int64(info.Totalram) * int64(info.Unit) / mebi
		r.Mem = max(all-keepMem, all/2)
	}
	if r.Disk == 0 {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			return fmt.Errorf("disk below %s: %w", dir, err)
		}
		r.Disk = int64(fs.Bavail) * fs.Bsize / mebi / 2
	}
	return nil
}

func tokenCommand() *cobra.Command {
	var api, id string
	var life time.Duration
	cmd := &cobra.Command{
		Use: "token", Short: "Make a token with which a machine can join as an agent, once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := client.New(api, nil)
			if err != nil {
				return err
			}
			if life < time.Millisecond {
				return errors.New("--life must be a time such as 1h")
			}
			t, err := c.MintToken(cmd.Context(), client.MintToken{Agent: cluster.AgentID(id), Life: cluster.Millis(life / time.Millisecond)})
			if err != nil {
				return err
			}
			// The token alone on standard output, for scripts.
			fmt.Fprintf(cmd.ErrOrStderr(), "Good once, until %s: universe agent join --master https://MASTER:5051 --token TOKEN\n",
				time.UnixMilli(int64(t.Expires)).Format(time.RFC3339))
			fmt.Fprintln(cmd.OutOrStdout(), t.Token)
			return nil
		},
	}
	cmd.Flags().StringVar(&api, "cluster", "http://127.0.0.1:8080", "the master's address for people")
	cmd.Flags().StringVar(&id, "agent", "", "the only agent it is good for, which may be there already (default: any new one)")
	cmd.Flags().DurationVar(&life, "life", master.DefaultTokenLife, "how long it is good")
	return cmd
}
