// Package runner is how a task becomes a process: the Runner interface, which
// runner/containerd implements for real and runner/fake for tests and the
// simulation of agents. runner/runnertest is the suite every Runner passes.
//
// The agent owns a Runner and calls it; the Runner knows containers, the agent
// knows tasks, health and the master. A Runner keeps containers alive over the
// death of the process that uses it: List gives them back afterwards.
package runner

import (
	"context"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Spec is a container to run: a task that has its place.
type Spec struct {
	Task    cluster.TaskSpec
	Sandbox string // the task's private directory on the agent: files/, scratch/ and its output (package output) live there
	// Volumes are directories of the agent to mount: the task's persistent volumes.
	// The agent makes them and keeps them.
	Volumes []Mount
	// Network is the path of the network namespace to run in, as Attach gave it;
	// empty: the runner's own.
	Network string
}

// Mount is a directory of the agent in a container.
type Mount struct {
	Source   string // absolute path on the agent
	Path     string // absolute path in the container
	ReadOnly bool
}

// Attachment is the network namespace of a group of tasks.
type Attachment struct {
	Group     string // cluster.TaskSpec.Group, or the task's id where it has none
	Namespace string // path of the namespace, for Spec.Network
	Address   string // its IP address in the agent's network
}

// Networker is a Runner that can make network namespaces; ask by type assertion.
type Networker interface {
	// Attach makes the namespace of a group, connects it to a network of the
	// agent and publishes its ports. It is idempotent; a group that is attached
	// is given as it is. A network that the agent does not have wraps ErrSpec.
	Attach(ctx context.Context, group string, n cluster.Network) (Attachment, error)

	// Detach unpublishes the ports and removes the namespace. One that is not
	// there is no error; half of one is removed.
	Detach(ctx context.Context, group string) error

	// Attachments gives those that are there, also half of them, as an agent
	// leaves them that dies meanwhile, or a machine that is started again: those
	// have no Address.
	Attachments(ctx context.Context) ([]Attachment, error)
}

// ArtifactPath is the directory of the i-th artifact of a task in its sandbox,
// from where it is mounted; the agent fills it before Start.
func ArtifactPath(sandbox string, i int) string {
	return filepath.Join(sandbox, "artifacts", strconv.Itoa(i))
}

// Progress is one step of making an image ready.
type Progress struct {
	Phase string // "resolve", "pull", "unpack"
	Done  int64  // bytes
	Total int64  // bytes; 0: not known
}

// State is what a Runner knows of a container.
type State string

// The states of a container.
const (
	Created State = "created" // exists, never started
	Running State = "running"
	Exited  State = "exited"
)

// Status is a container as List reports it and as it ended.
type Status struct {
	ID    cluster.TaskID
	State State
	PID   int // of its first process while it runs
	Exit  *Exit
}

// Exit says how a container ended.
type Exit struct {
	// Code is the exit code, 128+signal for a death by signal. It means nothing when Unknown.
	Code int
	// Unknown is set when the container ended while nobody could read its code.
	Unknown bool
	// OOM is set when the kernel killed in it for want of memory: never guessed from 137.
	OOM bool
	At  cluster.Time
}

// Runner runs containers. Its methods are safe for concurrent use and honour ctx.
// A container that is not known is an error that wraps ErrNotFound.
type Runner interface {
	// Prepare makes the image of spec present and unpacked. It is idempotent;
	// progress may be nil and is called from one goroutine at a time.
	Prepare(ctx context.Context, spec Spec, progress func(Progress)) error

	// Start creates and starts the container of a prepared spec and returns
	// when its process runs. On error nothing is left behind. Starting an id
	// that exists wraps ErrExists and leaves the other container alone.
	Start(ctx context.Context, spec Spec) error

	// Signal sends a signal to the container's first process, or to all of
	// them. Signalling one that has exited is no error.
	Signal(ctx context.Context, id cluster.TaskID, sig int, all bool) error

	// Exec runs argv inside a running container and gives its exit code; output
	// goes to out, at most MaxExecOutput bytes. Its end never ends the task.
	Exec(ctx context.Context, id cluster.TaskID, argv []string, out io.Writer) (int, error)

	// Remove deletes an exited container and its file system. Removing an id
	// that is not there is no error; a running one is killed first.
	Remove(ctx context.Context, id cluster.TaskID) error

	// List gives every container of this agent, also those that ended while
	// nobody watched.
	List(ctx context.Context) ([]Status, error)

	// Watch sends the end of every container from now on until ctx is done, and
	// closes the channel then; it reconnects by itself. Ends may be sent twice.
	// After every connection, the first included, it sends a Status with a nil
	// Exit and empty ID: from there on no end is missed, and the caller asks
	// List for those before.
	Watch(ctx context.Context) <-chan Status

	// Ping reports whether the engine answers, and its version.
	Ping(ctx context.Context) (version string, err error)
}

// MaxExecOutput bounds what Exec writes to out, in bytes.
const MaxExecOutput = 1 << 20

// Usage is what a container uses now.
type Usage struct {
	CPU    int64 `json:"cpu_ns"`    // nanoseconds of CPU time since its start
	Memory int64 `json:"mem_bytes"` // bytes
	PIDs   int64 `json:"pids"`
}

// ImageKeeper is a Runner that keeps images; ask by type assertion.
type ImageKeeper interface {
	// Prune removes images that no container uses and that were not used since
	// before, the longest unused first, until enough says so; it gives the bytes
	// that their removal should free.
	Prune(ctx context.Context, before time.Time, enough func(freed int64) bool) (int64, error)
}

// Meter is a Runner that can measure; ask by type assertion.
type Meter interface {
	Usage(ctx context.Context, id cluster.TaskID) (Usage, error)
}

// DiskMeter is a Runner that can tell how much a container has written outside
// its sandbox; ask by type assertion.
type DiskMeter interface {
	// Disk is the size of the container's own file system, in bytes.
	Disk(ctx context.Context, id cluster.TaskID) (int64, error)
}

// Size is that of a terminal, in characters.
type Size struct{ Columns, Rows uint16 }

// Session is a process to run in a running container with its streams.
type Session struct {
	Argv   []string
	TTY    bool        // with a terminal: Stderr is then part of Stdout
	Size   Size        // of the terminal at the start
	Resize <-chan Size // later sizes; nil: none
	Stdin  io.Reader   // nil: empty. A Read may be under way when ExecIO has returned.
	Stdout io.Writer   // where a slow Write holds up the process
	Stderr io.Writer
}

// Executor is a Runner that can run a Session; ask by type assertion.
type Executor interface {
	// ExecIO runs a session as the container's user, in its environment, to its
	// end and gives its exit code. When ctx is done first the process is
	// killed. Neither ends the task.
	ExecIO(ctx context.Context, id cluster.TaskID, s Session) (int, error)
}
