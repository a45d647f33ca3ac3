package cluster

// Goal is what the ending of a task means.
type Goal string

// The goals, with the words of the DC/OS SDK.
const (
	GoalRunning Goal = "RUNNING" // is to run for ever: any ending is a failure and is restarted
	GoalFinish  Goal = "FINISH"  // is to end with 0, on each launch of its pod
	GoalOnce    Goal = "ONCE"    // is to end with 0, once in the pod's life
)

// ServiceSpec is a long-running service as it is wanted: rendered, validated
// and complete but for launch-time references (see Ref).
type ServiceSpec struct {
	ID ServiceID `json:"id"`
	// Priority decides who is placed first, and who may take whose place: -MaxPriority to MaxPriority.
	Priority int `json:"priority,omitempty"`
	// Preemptible lets services of a higher priority end instances of this one to get their place.
	Preemptible bool      `json:"preemptible,omitempty"`
	Package     string    `json:"package,omitempty"` // the package it came from
	Version     string    `json:"version,omitempty"` // and its version
	Role        Role      `json:"role,omitempty"`    // empty: DefaultRole
	Pods        []PodSpec `json:"pods"`
	Deploy      []Phase   `json:"deploy,omitempty"` // empty: each pod in order, parallel
	// Update is how a running service becomes another; empty: as Deploy, one
	// instance at a time.
	Update []Phase `json:"update,omitempty"`
	// Plans are started by hand.
	Plans []PlanSpec `json:"plans,omitempty"`
	// Runs are what steps and gates of plans run.
	Runs []RunTemplate `json:"runs,omitempty"`
	// Deadline bounds a change, from its start until all is ready; 0: none. When
	// it is over, Rollback brings the spec of before back.
	Deadline Millis `json:"deadline_ms,omitempty"`
	Rollback bool   `json:"rollback,omitempty"`
	// Exports is what others may be given by name, as text that may hold references.
	Exports   map[string]string `json:"exports,omitempty"`
	Endpoints []Endpoint        `json:"endpoints,omitempty"`
}

// PodSpec is a group of tasks that live on one agent together, Count times.
type PodSpec struct {
	Name   string `json:"name"` // [a-z][a-z0-9-]{0,30}
	Count  int    `json:"count"`
	Unique bool   `json:"unique,omitempty"` // at most one instance of this pod on an agent
	// Placement is rules on the agents of its instances, all of which must hold.
	Placement []Constraint `json:"placement,omitempty"`
	// Gang launches all instances that are wanted at once, or none.
	Gang bool `json:"gang,omitempty"`
	// MinReady is how many instances stay ready when others are ended of our own
	// will, in a drain or an update; 0: a drain moves one at a time, an update goes
	// as its phase says.
	MinReady int `json:"min_ready,omitempty"`
	// Network gives each instance a network namespace of its own, named after a
	// network of the agents; empty: the agent's network.
	Network string `json:"network,omitempty"`
	// Volumes tie each instance to a Place, and are seen by all its tasks.
	Volumes []VolumeSpec `json:"volumes,omitempty"`
	// Recovery is what happens when the agent of an instance with volumes is lost;
	// nil: it waits for the agent, or for a person's word.
	Recovery *Recovery      `json:"recovery,omitempty"`
	Tasks    []TaskTemplate `json:"tasks"`
}

// TaskTemplate is a task of a pod before it has a place. Strings of its
// Container may hold launch-time references.
type TaskTemplate struct {
	Name string `json:"name"`
	Goal Goal   `json:"goal"`
	// After names tasks of the pod, of goal ONCE or FINISH, that end well before
	// this one starts.
	After     []string   `json:"after,omitempty"`
	Container Container  `json:"container"`
	Resources Resources  `json:"resources"`       // without ports
	Ports     []PortSpec `json:"ports,omitempty"` // named host ports
}

// PortSpec asks for a host port.
type PortSpec struct {
	Name string `json:"name"`           // [a-z][a-z0-9-]{0,30}, unique in the pod
	Port uint16 `json:"port,omitempty"` // 0: any that is offered
	// Listen is the port in the pod's own network; 0: the same as on the host.
	Listen uint16 `json:"listen,omitempty"`
}

// Container says what runs.
type Container struct {
	Image     string            `json:"image"`             // "host/repository@sha256:…"; always by digest
	Command   []string          `json:"command,omitempty"` // argv; empty: the image's own
	Env       map[string]string `json:"env,omitempty"`
	User      string            `json:"user,omitempty"` // "uid:gid" or "uid"; empty: the image's own, never root unless said
	Workdir   string            `json:"workdir,omitempty"`
	Files     []File            `json:"files,omitempty"`     // mounted read-only
	Scratch   []string          `json:"scratch,omitempty"`   // absolute paths that are writable and die with the task
	Artifacts []Artifact        `json:"artifacts,omitempty"` // fetched before the start and mounted read-only
	Rlimits   []Rlimit          `json:"rlimits,omitempty"`
	Mounts    []HostMount       `json:"mounts,omitempty"`    // directories of the machine; refused unless the agent's configuration allows them
	Volumes   []VolumeMount     `json:"volumes,omitempty"`   // where persistent volumes of the task, or of its group, are seen
	ReadOnly  bool              `json:"read_only,omitempty"` // its root file system cannot be written
	CPUQuota  bool              `json:"cpu_quota,omitempty"` // its CPUs are a ceiling, not only a weight
	Readiness *Check            `json:"readiness,omitempty"`
	Health    *Check            `json:"health,omitempty"`
	// Leader says whether the task leads its peers now: an instance that does is
	// replaced last.
	Leader    *Check `json:"leader,omitempty"`
	KillGrace Millis `json:"kill_grace_ms,omitempty"` // from TERM to KILL; 0: DefaultKillGrace
}

// DefaultKillGrace is the time from TERM to KILL where a task names none.
const DefaultKillGrace Millis = 10_000

// File is a small file rendered into the container.
type File struct {
	Path    string `json:"path"` // absolute
	Content string `json:"content"`
	Mode    uint32 `json:"mode,omitempty"` // permission bits; 0: 0444
}

// Artifact is fetched into a task's sandbox before it starts.
type Artifact struct {
	// Source is a URL as hashicorp/go-getter reads it, of http, https, s3, git
	// or (where the agent's configuration allows it) file.
	Source string `json:"source"`
	// Checksum is "sha256:<hex>" or "sha512:<hex>" of the file or archive as it
	// is sent. Without one a warning is reported; a git commit needs none.
	Checksum string `json:"checksum,omitempty"`
	// Path is the absolute path in the container of a directory that holds the
	// content of the archive or repository, or the file under its own name.
	Path       string `json:"path"`
	NoUnpack   bool   `json:"no_unpack,omitempty"`  // keep an archive as it is
	Executable bool   `json:"executable,omitempty"` // its files can be executed
}

// Rlimit is a limit of the kernel on each process of a task.
type Rlimit struct {
	Name string `json:"name"` // "nofile", "core", ...: as setrlimit(2) in small letters, without RLIMIT_
	Soft uint64 `json:"soft"` // at most Hard
	Hard uint64 `json:"hard"` // at most what the agent itself has
}

// HostMount is a directory or file of the agent's machine in a container.
type HostMount struct {
	Host     string `json:"host"` // absolute path on the machine
	Path     string `json:"path"` // absolute path in the container
	Writable bool   `json:"writable,omitempty"`
}

// VolumeMount is a persistent volume in a container. A volume that no mount
// names is seen at its own Path below SandboxPath.
type VolumeMount struct {
	Volume   string `json:"volume"` // its id; held by the task or another one of its group
	Path     string `json:"path"`   // absolute path in the container
	ReadOnly bool   `json:"read_only,omitempty"`
}

// SandboxPath is where paths that are relative to a sandbox lie in a container,
// as Mesos has it (MESOS_SANDBOX).
const SandboxPath = "/mnt/mesos/sandbox"

// Check asks whether a task is ready or healthy; exactly one of HTTP, TCP and
// Command is set. The agent performs it.
type Check struct {
	HTTP      *HTTPCheck `json:"http,omitempty"`
	TCP       *TCPCheck  `json:"tcp,omitempty"`
	Command   []string   `json:"command,omitempty"`     // argv, run in the container; 0 passes
	Interval  Millis     `json:"interval_ms,omitempty"` // between two tries
	Timeout   Millis     `json:"timeout_ms,omitempty"`  // of one try
	Grace     Millis     `json:"grace_ms,omitempty"`    // health: failures before this long after the start do not count
	Successes int        `json:"successes,omitempty"`   // readiness: passes in a row to be ready; 0: 1
	Failures  int        `json:"failures,omitempty"`    // health: failures in a row to be killed; 0: 3
}

// HTTPCheck gets a path from one of the task's ports.
type HTTPCheck struct {
	Port   string `json:"port"`             // a port name of the task
	Path   string `json:"path"`             // "/json/"
	Expect string `json:"expect,omitempty"` // CEL over status, headers, body; empty: status 200-399
}

// TCPCheck connects to one of the task's ports.
type TCPCheck struct {
	Port string `json:"port"`
}

// Strategy is how the instances of a phase follow each other.
type Strategy string

// The strategies.
const (
	Serial   Strategy = "serial"   // one instance, ready, then the next
	Parallel Strategy = "parallel" // all at once
	// The first instance, ready; then a person's word; then the others, as named.
	SerialCanary   Strategy = "serial-canary"
	ParallelCanary Strategy = "parallel-canary"
)

// Phase is a step of a deployment: one pod brought to its count and made ready
// before the next phase starts.
type Phase struct {
	Name     string   `json:"name"`
	Pod      string   `json:"pod,omitempty"`
	Strategy Strategy `json:"strategy,omitempty"` // empty: Parallel
	Confirm  bool     `json:"confirm,omitempty"`  // waits for a person's word
	// Gate is the run that must end with 0 after each instance, before the next.
	Gate string `json:"gate,omitempty"`
	// Steps are run one after the other once the pod is ready; a phase has a pod,
	// steps or both.
	Steps []Step `json:"steps,omitempty"`
}

// Endpoint is a named way into a service.
type Endpoint struct {
	Name   string `json:"name"`
	Pod    string `json:"pod"`
	Task   string `json:"task"`
	Port   string `json:"port"`
	Scheme string `json:"scheme,omitempty"` // "http", "spark"; text for people and proxies
}

// RunSpec is one task to run once, to its end: an action of a service.
type RunSpec struct {
	ID      RunID        `json:"id"`
	Service ServiceID    `json:"service"` // whose pods its references name
	Name    string       `json:"name"`    // "run pi"
	Role    Role         `json:"role,omitempty"`
	Task    TaskTemplate `json:"task"`
	Plan    *PlanStep    `json:"plan,omitempty"` // the step or gate of a plan that it is; nil: an action
}

// Installation is a release that runs under a service id with options: what
// `dcos package list` shows. It lives in the master's log.
type Installation struct {
	ID         ServiceID `json:"id"`
	Package    string    `json:"package"`
	Version    string    `json:"version"`
	Digest     string    `json:"digest"`     // of the package artifact
	Repository string    `json:"repository"` // where the artifact came from
	Options    []byte    `json:"options"`    // effective options, canonical JSON
	PlanDigest string    `json:"plan_digest"`
	// Bindings is, by the alias of a requirement, the service that meets it.
	Bindings  map[string]ServiceID `json:"bindings,omitempty"`
	Auto      bool                 `json:"auto,omitempty"` // brought in by another package's requirement
	At        Time                 `json:"at"`
	Principal string               `json:"principal,omitempty"`
}
