package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/agent/fetch"
	"github.com/universe-dcos/universe/runtime/agent/volume"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// Config configures an Agent. ID, Host, MasterURL, StateDir and Runner are required.
type Config struct {
	ID       cluster.AgentID
	Hostname string // a name for people; empty: the machine's
	Host     string // address at which tasks' ports are reached, and checked
	// MasterURL is the master's base URL for agents.
	MasterURL string
	// TLS is the client configuration for the master, with the agent's own
	// certificate. The agent's API uses the same certificate and authorities,
	// and serves only who can show a certificate for TLS.ServerName (or for the
	// host of MasterURL). Nil: plain HTTP both ways, for tests.
	TLS        *tls.Config
	StateDir   string            // checkpoints and sandboxes; made when missing
	Runner     runner.Runner     // how tasks become processes
	Total      cluster.Resources // all that is given to tasks
	Attributes map[string]string
	// Domain is the machine's fault domain, and Reserved its static reservations
	// of part of Total, as cluster.Agent has them; nil: none.
	Domain   *cluster.Domain
	Reserved cluster.Reserves
	// ListenAddr is where the agent's API listens; empty: it has none, and logs
	// cannot be read.
	ListenAddr string
	Version    string // of the agent program
	// Fetch brings artifacts to sandboxes; nil: one with default options.
	Fetch Fetcher
	// KeepEnded and KeepFor bound the ended tasks whose logs are kept, by number
	// and age; 0: DefaultKeepEnded, DefaultKeepFor.
	KeepEnded int
	KeepFor   time.Duration
	// ImagesHigh and ImagesLow are shares of the file system of StateDir in use,
	// in percent: over the first, images that were not used for a while are
	// removed until the second should be reached. 0: DefaultImagesHigh, DefaultImagesLow.
	ImagesHigh, ImagesLow int
	// DiskUse tells how much of the file system of a directory is in use and how
	// much there is, in bytes; nil: the kernel is asked.
	DiskUse func(dir string) (used, total int64, err error)
	// BootID is the kernel's boot id; empty: it is read from the kernel.
	BootID string
	// Dial connects to the master and to tasks under check; nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger; nil: silent.
	Logger *slog.Logger
}

const (
	// DefaultKeepEnded is how many ended tasks' logs are kept.
	DefaultKeepEnded = 200
	// DefaultKeepFor is how long an ended task's log is kept.
	DefaultKeepFor = 24 * time.Hour
	// MaxTasks bounds the tasks of an agent that have not ended.
	MaxTasks = 4096
)

// Fetcher brings an artifact to a directory; package fetch has the real one.
type Fetcher interface {
	// Check refuses what can never be fetched, with an error that wraps fetch.ErrRefused.
	Check(a cluster.Artifact) error
	// Fetch makes dst with the artifact in it, or leaves nothing. It is idempotent.
	Fetch(ctx context.Context, a cluster.Artifact, dst string) error
}

// Agent is a node of a cluster.
type Agent struct {
	cfg    Config
	log    *slog.Logger
	client *http.Client
	base   *url.URL
	apiURL string // set by Run before the first session

	ledger *checkpoint.Ledger
	store  *volume.Store
	nets   networks
	images imageWatch

	vmu    sync.Mutex                  // held while volumes are destroyed
	doomed map[cluster.VolumeName]bool // that are to be destroyed when nobody holds them

	mu    sync.Mutex
	tasks map[cluster.TaskID]*task // that have a goroutine
	group *errgroup.Group          // of the tasks' goroutines
	execs int                      // sessions of exec that are open
}

// New checks a configuration. It does nothing yet: Run does.
func New(c Config) (*Agent, error) {
	if c.ID == "" || c.Host == "" || c.StateDir == "" || c.Runner == nil {
		return nil, problem.New(problem.Invalid, "an agent needs an id, a host address, a state directory and a runner")
	}
	base, err := url.Parse(c.MasterURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, problem.New(problem.Invalid, "master URL %q is not of the form https://host:port", c.MasterURL)
	}
	if (base.Scheme == "https") != (c.TLS != nil) {
		return nil, problem.New(problem.Invalid, "master URL %q and the agent's certificate do not go together: https needs one, http takes none", c.MasterURL)
	}
	if c.StateDir, err = filepath.Abs(c.StateDir); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if c.Hostname == "" {
		if c.Hostname, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("host name of the machine: %w", err)
		}
	}
	if c.BootID == "" {
		if c.BootID, err = bootID(); err != nil {
			return nil, err
		}
	}
	if c.KeepEnded == 0 {
		c.KeepEnded = DefaultKeepEnded
	}
	if c.Fetch == nil {
		c.Fetch = fetch.New(fetch.Options{})
	}
	if c.ImagesHigh == 0 {
		c.ImagesHigh = DefaultImagesHigh
	}
	if c.ImagesLow == 0 {
		c.ImagesLow = min(DefaultImagesLow, c.ImagesHigh)
	}
	if c.ImagesLow < 0 || c.ImagesLow > c.ImagesHigh || c.ImagesHigh > 100 {
		return nil, problem.New(problem.Invalid, "images are removed over %d %% of the disk until %d %%: it must be 100 at most, and the second not above the first", c.ImagesHigh, c.ImagesLow)
	}
	if c.DiskUse == nil {
		c.DiskUse = diskUse
	}
	if c.KeepFor == 0 {
		c.KeepFor = DefaultKeepFor
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	a := &Agent{cfg: c, log: c.Logger.With("agent", string(c.ID)), base: base, tasks: map[cluster.TaskID]*task{},
		nets: newNetworks(), images: newImageWatch(), doomed: map[cluster.VolumeName]bool{}}
	if err := a.describe().Validate(); err != nil {
		return nil, problem.New(problem.Invalid, "agent %q: %v", c.ID, err)
	}
	a.client = &http.Client{Transport: &http.Transport{
		DialContext: c.Dial, TLSClientConfig: c.TLS.Clone(), TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
	}}
	return a, nil
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("boot id of the kernel: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Run is the agent's life: it takes over what runs, serves the API, and keeps a
// session with the master until ctx is done. Containers are left running. The
// error is nil when ctx ended it.
func (a *Agent) Run(ctx context.Context) error {
	ledger, err := checkpoint.Open(filepath.Join(a.cfg.StateDir, "agent.db"), a.cfg.ID)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.ledger = ledger
	a.mu.Unlock()
	defer func() {
		if err := ledger.Close(); err != nil {
			a.log.Error("the checkpoints could not be closed", "err", err)
		}
	}()
	if err := a.openVolumes(); err != nil {
		return err
	}
	defer a.store.Close()
	defer a.client.CloseIdleConnections()
	err = a.run(ctx)
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

func (a *Agent) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	tasks, tctx := errgroup.WithContext(ctx)
	a.group = tasks
	if err := a.listen(ctx, group); err != nil {
		return err
	}
	recovered := make(chan struct{})
	group.Go(func() error { return a.watch(ctx, tctx, recovered) })
	group.Go(func() error { return a.tidy(ctx) })
	group.Go(func() error { return a.rotate(ctx) })
	group.Go(func() error { return a.watchDisk(ctx) })
	group.Go(func() error { return a.watchImages(ctx) })
	group.Go(func() error { return a.sweepVolumes(ctx) })
	group.Go(func() error {
		select {
		case <-recovered:
			return a.sessions(ctx, tctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	err := group.Wait()
	return errors.Join(err, ignoreDone(tasks.Wait()))
}

// ignoreDone drops the error that only says that we were told to end.
func ignoreDone(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// describe is the agent as it introduces itself.
func (a *Agent) describe() cluster.Agent {
	return cluster.Agent{
		ID: a.cfg.ID, Hostname: a.cfg.Hostname, Host: a.cfg.Host, URL: a.apiURL,
		Total: a.cfg.Total, Attributes: a.cfg.Attributes, Version: a.cfg.Version,
		Domain: a.cfg.Domain, Reserved: a.cfg.Reserved,
	}
}

// sandbox is the private directory of a task.
func (a *Agent) sandbox(id cluster.TaskID) string {
	return filepath.Join(a.cfg.StateDir, "tasks", string(id))
}

// spec is what the runner gets of a task.
func (a *Agent) spec(t cluster.TaskSpec) runner.Spec {
	return runner.Spec{Task: t, Sandbox: a.sandbox(t.ID)}
}

// now is the agent's clock, as it stands in reports.
func now() cluster.Time { return cluster.Time(time.Now().UnixMilli()) }

// millis is a wire duration as one of Go's.
func millis(m cluster.Millis) time.Duration { return time.Duration(m) * time.Millisecond }
