package containerd

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/pkg/identifiers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// Options configure a Runner. Socket and Namespace are required.
type Options struct {
	// Socket is the absolute path of containerd's socket.
	Socket string
	// Namespace is the containerd namespace; one per agent, see Namespace.
	Namespace string
	// Runc is the absolute path of the runc program; empty: the shim looks for
	// "runc" on the PATH of containerd.
	Runc string
	// Output is the absolute path of our logger, universe-output; empty: the
	// shim writes the output of tasks by itself. Then a task hangs when its
	// output finds no room on the disk, and streams are merged in rougher order.
	Output string
	// Dir is an existing directory of the agent's own for runc's state, the
	// pipes of Exec and the networks of groups; empty: the directories all
	// containerds of a machine share, and no networks.
	Dir string
	// Bundle is the directory of the CNI plugins bridge, host-local and portmap;
	// empty: the network cluster.DefaultNetwork does not exist.
	Bundle string
	// Subnet is the IPv4 network of cluster.DefaultNetwork, such as
	// "10.1.0.0/16"; empty: DefaultSubnet.
	Subnet string
	// CNIConfDir is a directory of CNI configurations: each is a network that
	// groups may name. One that is called as cluster.DefaultNetwork takes its
	// place. Their plugins are looked for in Bundle and in /opt/cni/bin. Empty: none.
	CNIConfDir string
	// PlainHTTP lists the registries ("host:port") that are spoken to without TLS.
	PlainHTTP []string
	// RegistryTLS is for the other registries; nil: the system's certificates.
	RegistryTLS *tls.Config
	// Auth is a Docker config.json with the registries' credentials; empty: none.
	Auth string
	// HostPaths are the trees of the machine that tasks may mount; none: no mounts.
	HostPaths []HostPath
	// GPUs are the devices given out to tasks that ask for them; nil: those of
	// NVIDIA's driver that are present.
	GPUs []string
	// Hostname is the host name inside containers; empty: the machine's.
	Hostname string
	// Host is the address Hostname resolves to in containers; empty: 127.0.0.1.
	Host string
	// ResolvConf is the content of /etc/resolv.conf in containers; empty: the
	// machine's, changed by Resolvers and Search.
	ResolvConf string
	// Resolvers are the name servers of containers, in the place of the machine's.
	// They must be reached from the networks of groups too. None of the machine's
	// stands after them: it would say of each name that only Resolvers know that it
	// does not exist, and some libraries take the first answer of all. Empty: the
	// machine's.
	Resolvers []netip.Addr
	// Search are the domains in which containers look for names that are not
	// whole, before those of the machine.
	Search []string
	// CgroupParent is the cgroup under which the containers' are made; empty: "/universe".
	CgroupParent string
	// Snapshotter names containerd's plugin; empty: DefaultSnapshotter.
	Snapshotter string
	// PIDs bounds the threads and processes of a container; 0: DefaultPIDs.
	PIDs int64
	// Quota makes the CPUs of a task a ceiling instead of a weight.
	Quota bool
	// MaxStarts bounds the containers that are being started at once; 0: twice
	// the CPUs. More only adds latency.
	MaxStarts int
	// Logger is for what nobody is told by an error; nil: silent.
	Logger *slog.Logger
}

const (
	// DefaultSnapshotter works on ext4 and xfs.
	DefaultSnapshotter = "overlayfs"
	// DefaultPIDs leaves room for a JVM with thousands of threads.
	DefaultPIDs = 8192
	// labelTask holds the task's id, since a container's is not always the same.
	labelTask = "universe/task"
	// labelExit holds the exit, once it is known.
	labelExit = "universe/exit"
	// runtimeName is the shim's plugin name.
	runtimeName = "io.containerd.runc.v2"
)

// Runner is a runner.Runner on containerd.
type Runner struct {
	opts      Options
	client    *client.Client
	resolver  remotes.Resolver
	pool      *http.Client
	log       *slog.Logger
	clientLog *log.Entry // containerd's client logs through the context
	nofile    uint64
	swap      bool          // the kernel accounts for swap
	starts    chan struct{} // a token for each start under way
	networks  *networks
	preparing keyed // images being prepared, or removed

	mu       sync.Mutex
	used     map[string]time.Time      // when the last use of an image was written down
	images   map[string]image          // by reference; immutable, since by digest
	starting map[string]struct{}       // container ids inside Start
	tasks    map[string]cluster.TaskID // container id -> task
	oom      map[string]struct{}       // containers with an OOM event
	gpus     map[string]struct{}       // devices of starts under way
}

var (
	_ runner.Runner      = (*Runner)(nil)
	_ runner.Meter       = (*Runner)(nil)
	_ runner.DiskMeter   = (*Runner)(nil)
	_ runner.Executor    = (*Runner)(nil)
	_ runner.Networker   = (*Runner)(nil)
	_ runner.ImageKeeper = (*Runner)(nil)
)

// New connects to containerd. It fails, with an error that wraps
// runner.ErrUnavailable, when containerd does not answer within ctx; after
// that the Runner reconnects by itself.
func New(ctx context.Context, o Options) (*Runner, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	nets, err := newNetworks(o)
	if err != nil {
		return nil, err
	}
	c, err := client.New(o.Socket, client.WithDefaultNamespace(o.Namespace), client.WithTimeout(maxReconnect))
	if err != nil {
		return nil, fmt.Errorf("containerd at %s: %w", o.Socket, errors.Join(runner.ErrUnavailable, err))
	}
	r := &Runner{
		opts: o, client: c, log: o.Logger, clientLog: clientLog(o.Logger), nofile: maxFiles(), swap: accountsSwap(),
		starts: make(chan struct{}, o.MaxStarts), networks: nets,
		used: map[string]time.Time{}, images: map[string]image{}, starting: map[string]struct{}{},
		tasks: map[string]cluster.TaskID{}, oom: map[string]struct{}{}, gpus: map[string]struct{}{},
	}
	r.resolver, r.pool = newResolver(o)
	if _, err := r.Ping(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if o.Output == "" {
		r.log.Warn("a task whose output finds no room on the disk will hang: there is no program for output", "program", outputProgram)
	}
	if r.nofile < wantFiles {
		r.log.Warn("tasks get fewer open files than many services want: raise the agent's hard limit (ulimit -Hn)",
			"limit", r.nofile, "wanted", wantFiles)
	}
	return r, nil
}

// complete checks the required options and fills in the others.
func (o *Options) complete() error {
	if !filepath.IsAbs(o.Socket) {
		return fmt.Errorf("containerd socket %q is not an absolute path", o.Socket)
	}
	if err := identifiers.Validate(o.Namespace); err != nil {
		return fmt.Errorf("containerd namespace: %w", err)
	}
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("host name of the machine: %w", err)
		}
		o.Hostname = name
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.Subnet == "" {
		o.Subnet = DefaultSubnet
	}
	if o.CgroupParent == "" {
		o.CgroupParent = "/universe"
	}
	if o.Snapshotter == "" {
		o.Snapshotter = DefaultSnapshotter
	}
	if o.PIDs == 0 {
		o.PIDs = DefaultPIDs
	}
	if o.MaxStarts <= 0 {
		o.MaxStarts = 2 * goruntime.NumCPU()
	}
	if o.GPUs == nil {
		o.GPUs = findGPUs()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Close ends the connection. Containers run on.
func (r *Runner) Close() error {
	r.pool.CloseIdleConnections()
	return r.client.Close()
}

// Ping gives containerd's version.
func (r *Runner) Ping(ctx context.Context) (string, error) {
	v, err := r.client.Version(r.in(ctx))
	if err != nil {
		return "", r.wrap(err, "containerd at %s", r.opts.Socket)
	}
	return "containerd " + v.Version, nil
}

// Namespace is the containerd namespace of an agent. Two agents of a machine
// must never share one.
func Namespace(agent cluster.AgentID) string { return identifier("universe-" + string(agent)) }

// in puts our namespace into ctx, and a logger for containerd's client, which
// else writes to standard error.
func (r *Runner) in(ctx context.Context) context.Context {
	return log.WithLogger(namespaces.WithNamespace(ctx, r.opts.Namespace), r.clientLog)
}

// wrap names what was done and adds the sentinel of package runner that the
// engine's error stands for.
func (r *Runner) wrap(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	switch {
	case errdefs.IsUnavailable(err):
		return fmt.Errorf("%s: %w: %w", what, runner.ErrUnavailable, err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", what, runner.ErrNotFound, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// containerID is the id under which containerd knows a task.
func containerID(id cluster.TaskID) string { return identifier(string(id)) }

// maxIdentifier is containerd's limit, less what a hash needs.
const maxIdentifier = 76 - 17

// identifier makes a valid containerd identifier of s: s itself where it is
// one, else its readable part and a hash of the whole.
func identifier(s string) string {
	if identifiers.Validate(s) == nil {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < maxIdentifier; i++ {
		c := s[i]
		if (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') {
			b.WriteByte(c)
		} else if t := b.String(); t != "" && t[len(t)-1] != '-' {
			b.WriteByte('-')
		}
	}
	sum := sha256.Sum256([]byte(s))
	return strings.TrimLeft(strings.TrimRight(b.String(), "-")+"-"+hex.EncodeToString(sum[:8]), "-")
}

// taskID gives the task of a container: from memory, or from its labels.
func (r *Runner) taskID(ctx context.Context, id string) (cluster.TaskID, error) {
	r.mu.Lock()
	task, ok := r.tasks[id]
	r.mu.Unlock()
	if ok {
		return task, nil
	}
	c, err := r.client.ContainerService().Get(ctx, id)
	if err != nil {
		return "", err
	}
	return r.learn(id, c.Labels), nil
}

// learn remembers which task a container is of.
func (r *Runner) learn(id string, labels map[string]string) cluster.TaskID {
	task := cluster.TaskID(labels[labelTask])
	if task == "" {
		task = cluster.TaskID(id) // not made by us: known by its own name
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[id] = task
	return task
}

func (r *Runner) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tasks, id)
	delete(r.oom, id)
}
