package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/universe-dcos/universe/cli/universe/devnet"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/master/pki"
)

// The ports of a development cluster on its own bridge; they clash with nothing.
const (
	devAgentsPort   = "5051" // the master's, for agents
	devRegistryPort = "5000" // the master's, for image pulls
	devAgentPort    = "5051" // each agent's own API
)

// devCluster is a development cluster: where its things are and what they are called.
type devCluster struct {
	flags devFlags
	net   devnet.Net
}

// devState is what the directory remembers between runs: without it a run
// that was killed could not be taken away.
type devState struct {
	Tag    string `yaml:"tag"`
	Subnet string `yaml:"subnet"`
	Agents int    `yaml:"agents"`
}

// newDevCluster gives the directory's cluster, a new one or that of before.
func newDevCluster(f devFlags) (*devCluster, error) {
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return nil, err
	}
	f.dir = dir
	if f.bundle, err = filepath.Abs(f.bundle); err != nil {
		return nil, err
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return nil, problem.New(problem.Invalid, "--listen %q: %w", f.listen, err).WithHint("give host:port, such as 127.0.0.1:8080")
	}
	if f.agents < 1 || f.agents > devnet.MaxNodes {
		return nil, problem.New(problem.Invalid, "--agents %d: a development cluster has 1 to %d", f.agents, devnet.MaxNodes)
	}
	c := &devCluster{flags: f}
	var st devState
	err = readConfig(c.stateFile(), &st)
	if subnet, perr := netip.ParsePrefix(st.Subnet); err == nil && perr == nil {
		c.net = devnet.Net{Tag: st.Tag, Subnet: subnet}
		if st.Agents > f.agents {
			// The agents that are no longer wanted still hold containers.
			old := *c
			old.flags.agents = st.Agents
			if err := old.remove(context.Background()); err != nil {
				return nil, err
			}
		}
	} else if c.net, err = devnet.Pick(tagOf(dir)); err != nil {
		return nil, err
	}
	return c, writeConfig(c.stateFile(), devState{Tag: c.net.Tag, Subnet: c.net.Subnet.String(), Agents: f.agents})
}

// tagOf names a directory in five letters: interface names have fifteen.
func tagOf(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:])[:5]
}

func (c *devCluster) name() string                  { return "dev" }
func (c *devCluster) url() string                   { return "http://" + c.flags.listen }
func (c *devCluster) stateFile() string             { return filepath.Join(c.flags.dir, "dev.yaml") }
func (c *devCluster) masterFile() string            { return filepath.Join(c.flags.dir, "master.yaml") }
func (c *devCluster) agentID(i int) cluster.AgentID { return cluster.AgentID(fmt.Sprintf("a%d", i+1)) }
func (c *devCluster) agentDir(i int) string {
	return filepath.Join(c.flags.dir, "agents", string(c.agentID(i)))
}
func (c *devCluster) agentFile(i int) string { return filepath.Join(c.agentDir(i), "agent.yaml") }

// runDir is where a node's sockets are: paths of sockets have at most 107 bytes.
func (c *devCluster) runDir() string { return filepath.Join("/run/universe", c.net.Tag) }

// cgroup is the parent of the cgroups of agent i's containers.
func (c *devCluster) cgroup(i int) string {
	return "/universe-" + c.net.Tag + "-" + string(c.agentID(i))
}

// writeConfigs issues the certificates and writes the daemons' files.
func (c *devCluster) writeConfigs() error {
	certs := filepath.Join(c.flags.dir, "certs")
	ca, err := pki.Open(certs)
	if err != nil {
		return err
	}
	caFile := filepath.Join(certs, "cluster-ca.crt")
	if err := os.WriteFile(caFile, ca.CertPEM(), 0o600); err != nil {
		return err
	}
	gateway := c.net.Gateway().String()
	pair, err := ca.Master(gateway)
	if err != nil {
		return err
	}
	if err := pair.Save(certs, "master"); err != nil {
		return err
	}
	err = writeConfig(c.masterFile(), masterConfig{Name: c.name(), Dir: filepath.Join(c.flags.dir, "master"), Listen: c.flags.listen, Authority: certs,
		Agents: net.JoinHostPort(gateway, devAgentsPort), Registry: net.JoinHostPort(gateway, devRegistryPort), TLS: certFiles(certs, "master", caFile)})
	if err != nil {
		return err
	}
	for i := range c.flags.agents {
		if err := c.writeAgent(ca, certs, caFile, i); err != nil {
			return err
		}
	}
	return nil
}

func certFiles(dir, name, ca string) tlsFiles {
	return tlsFiles{Cert: filepath.Join(dir, name+".crt"), Key: filepath.Join(dir, name+".key"), CA: ca}
}

func (c *devCluster) writeAgent(ca *pki.Authority, certs, caFile string, i int) error {
	id, host, gateway := c.agentID(i), c.net.Node(i).String(), c.net.Gateway().String()
	pair, err := ca.Agent(id, host)
	if err != nil {
		return err
	}
	if err := pair.Save(certs, string(id)); err != nil {
		return err
	}
	return writeConfig(c.agentFile(i), agentConfig{ID: string(id), Host: host,
		Master: "https://" + net.JoinHostPort(gateway, devAgentsPort), Listen: net.JoinHostPort(host, devAgentPort),
		Dir: c.agentDir(i), Run: filepath.Join(c.runDir(), string(id)), Bundle: c.flags.bundle,
		Cgroup: c.cgroup(i),
		// Nothing beyond the bridge is reached from here: other names the master asks for.
		DNS:        dnsConfig{Upstreams: []string{gateway}},
		Registries: []string{net.JoinHostPort(gateway, devRegistryPort)},
		// One zone each, so that spreading over zones can be tried.
		Domain:    domainConfig{Region: "dev", Zone: fmt.Sprintf("z%d", i+1)},
		Resources: agentResources{CPUs: c.flags.cpus, Mem: c.flags.mem, Disk: c.flags.disk, Ports: "31000-32000"},
		TLS:       certFiles(certs, string(id), caFile)})
}

// remove takes away what runs: containers, containerds, namespaces, bridge. It
// goes on after an error and tells all of them.
func (c *devCluster) remove(ctx context.Context) error {
	var errs []error
	for i := range c.flags.agents {
		var cfg agentConfig
		if _, err := os.Stat(c.agentFile(i)); errors.Is(err, os.ErrNotExist) {
			continue
		}
		// Only where things are counts: a setting that is wrong by now must not keep them.
		if err := decodeConfig(c.agentFile(i), &cfg); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := cleanAgent(ctx, cfg); err != nil {
			errs = append(errs, fmt.Errorf("agent %s: %w", c.agentID(i), err))
		}
	}
	errs = append(errs, c.net.Remove())
	if err := os.RemoveAll(c.runDir()); err != nil {
		errs = append(errs, err)
	}
	_ = os.Remove(filepath.Dir(c.runDir())) // goes when no other cluster's is in it
	for _, left := range c.net.Left() {
		errs = append(errs, fmt.Errorf("still there: %s", left))
	}
	if err := errors.Join(errs...); err != nil {
		return problem.New(problem.Internal, "the cluster was not wholly taken away: %w", err).WithHint("try again: universe dev --clean --dir %s", c.flags.dir)
	}
	return nil
}

// cleanDev takes away what a killed run left.
func cleanDev(ctx context.Context, f devFlags, out io.Writer) error {
	if _, err := os.Stat(filepath.Join(f.dir, "dev.yaml")); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(out, "No cluster was ever run in %s.\n", f.dir)
		return nil
	}
	release, err := lockDir(f.dir)
	if err != nil {
		return err
	}
	defer release()
	var st devState
	if err := readConfig(filepath.Join(f.dir, "dev.yaml"), &st); err != nil {
		return err
	}
	f.agents = max(st.Agents, 1)
	c, err := newDevCluster(f)
	if err != nil {
		return err
	}
	if err := c.remove(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "Nothing of the cluster in %s runs any more; its packages and images are kept.\n", f.dir)
	return nil
}

// ownGroup puts a child in a process group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// devLogs are the log files of the cluster's processes.
type devLogs struct {
	mu    sync.Mutex
	dir   string
	echo  bool // to standard error too
	files map[string]*os.File
}

func (c *devCluster) openLogs(echo bool) (*devLogs, error) {
	l := &devLogs{dir: filepath.Join(c.flags.dir, "logs"), echo: echo, files: map[string]*os.File{}}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, err
	}
	names := []string{"master"}
	for i := range c.flags.agents {
		names = append(names, string(c.agentID(i)))
	}
	for _, name := range names {
		f, err := os.OpenFile(filepath.Join(l.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			l.close()
			return nil, err
		}
		l.files[name] = f
	}
	return l, nil
}

// of is where the process of a name prints to.
func (l *devLogs) of(name string) io.Writer {
	if !l.echo {
		return l.files[name]
	}
	return io.MultiWriter(l.files[name], &lines{mu: &l.mu, out: os.Stderr, pre: name + " | "})
}

func (l *devLogs) close() {
	for _, f := range l.files {
		_ = f.Close() // every line was written with a call of its own
	}
}
