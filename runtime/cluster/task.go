package cluster

// TaskState is a Mesos task state (mesos.proto TaskState), with its name.
type TaskState string

// The states of a task. Terminal ones are never left. Mesos shows the last five
// only to frameworks that are PARTITION_AWARE, and TASK_LOST in their place.
const (
	TaskStaging        TaskState = "TASK_STAGING"          // accepted; on its way to, or being prepared on, the agent
	TaskStarting       TaskState = "TASK_STARTING"         // the agent has it: image pull, container create
	TaskRunning        TaskState = "TASK_RUNNING"          // its process runs
	TaskKilling        TaskState = "TASK_KILLING"          // asked to end; grace period runs
	TaskFinished       TaskState = "TASK_FINISHED"         // terminal: ended with exit code 0
	TaskFailed         TaskState = "TASK_FAILED"           // terminal: ended with another exit code, or could not start
	TaskKilled         TaskState = "TASK_KILLED"           // terminal: ended because we asked
	TaskError          TaskState = "TASK_ERROR"            // terminal: its spec was refused
	TaskLost           TaskState = "TASK_LOST"             // terminal: gone, and nobody knows how
	TaskDropped        TaskState = "TASK_DROPPED"          // terminal: it never got to an agent
	TaskUnreachable    TaskState = "TASK_UNREACHABLE"      // its agent is silent; it may still run
	TaskGone           TaskState = "TASK_GONE"             // terminal: its agent is there and does not have it
	TaskGoneByOperator TaskState = "TASK_GONE_BY_OPERATOR" // terminal: its agent was declared gone
	TaskUnknown        TaskState = "TASK_UNKNOWN"          // not known to the master (reconciliation only)
)

// Terminal reports whether a state is never left.
func (s TaskState) Terminal() bool {
	switch s {
	case TaskFinished, TaskFailed, TaskKilled, TaskError, TaskLost, TaskDropped, TaskGone, TaskGoneByOperator:
		return true
	}
	return false
}

// Reason says why a task is in its state, in a word of Mesos where it has one.
type Reason string

// The reasons, those of Mesos first (mesos.proto TaskStatus.Reason). An empty
// reason is the ordinary course.
const (
	ReasonAgentDisconnected  Reason = "REASON_AGENT_DISCONNECTED"
	ReasonAgentDraining      Reason = "REASON_AGENT_DRAINING"
	ReasonAgentGone          Reason = "REASON_AGENT_REMOVED_BY_OPERATOR"
	ReasonAgentReregistered  Reason = "REASON_AGENT_REREGISTERED"
	ReasonAgentRestarted     Reason = "REASON_AGENT_RESTARTED"
	ReasonAgentUnknown       Reason = "REASON_AGENT_UNKNOWN"
	ReasonAgentUnreachable   Reason = "REASON_AGENT_REMOVED"
	ReasonCheckUpdated       Reason = "REASON_TASK_CHECK_STATUS_UPDATED"
	ReasonDiskLimit          Reason = "REASON_CONTAINER_LIMITATION_DISK"
	ReasonFrameworkRemoved   Reason = "REASON_FRAMEWORK_REMOVED"
	ReasonGroupInvalid       Reason = "REASON_TASK_GROUP_INVALID"
	ReasonHealthUpdated      Reason = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
	ReasonInvalidOffers      Reason = "REASON_INVALID_OFFERS"
	ReasonKilledInLaunch     Reason = "REASON_TASK_KILLED_DURING_LAUNCH" // it never started
	ReasonLaunchFailed       Reason = "REASON_CONTAINER_LAUNCH_FAILED"
	ReasonLimit              Reason = "REASON_CONTAINER_LIMITATION" // another limit than memory and disk: pids
	ReasonMasterDisconnected Reason = "REASON_MASTER_DISCONNECTED"
	ReasonMaxCompletionTime  Reason = "REASON_MAX_COMPLETION_TIME_REACHED"
	ReasonMemoryLimit        Reason = "REASON_CONTAINER_LIMITATION_MEMORY"
	ReasonPreempted          Reason = "REASON_CONTAINER_PREEMPTED"
	ReasonReconciliation     Reason = "REASON_RECONCILIATION"
	ReasonResourcesUnknown   Reason = "REASON_RESOURCES_UNKNOWN"
	ReasonTaskInvalid        Reason = "REASON_TASK_INVALID"
	ReasonTaskUnauthorized   Reason = "REASON_TASK_UNAUTHORIZED"
	ReasonTaskUnknown        Reason = "REASON_TASK_UNKNOWN"

	// Ours, where Mesos has no word.
	ReasonImagePull      Reason = "REASON_IMAGE_PULL_FAILED"
	ReasonUnhealthy      Reason = "REASON_TASK_HEALTH_CHECK_FAILED"
	ReasonStatusUnknown  Reason = "REASON_EXIT_STATUS_UNKNOWN" // it ended while nobody could read its exit code
	ReasonKilledBySignal Reason = "REASON_KILLED_BY_SIGNAL"    // a signal we did not send, not an OOM
)

// TaskSpec is a task as it is launched: everything is settled, no reference is open.
type TaskSpec struct {
	ID        TaskID      `json:"id"`
	Name      string      `json:"name"` // "spark.worker-0.worker"
	Framework FrameworkID `json:"framework"`
	Role      Role        `json:"role"`
	Service   ServiceID   `json:"service,omitempty"`
	Run       RunID       `json:"run,omitempty"` // set for an action's task
	Pod       string      `json:"pod,omitempty"`
	Index     int         `json:"index"`
	Task      string      `json:"task"` // name inside the pod
	Goal      Goal        `json:"goal"` // what its ending means
	// Group names the tasks that are launched, all or none, in one acceptance and
	// share a network namespace and each other's volumes; empty: it is alone.
	Group string `json:"group,omitempty"`
	// Network is what the tasks of the group share; nil: the agent's own network.
	Network    *Network          `json:"network,omitempty"`
	Hash       string            `json:"hash,omitempty"` // of the template it was made from: differs when the spec changed
	Container  Container         `json:"container"`
	Resources  Resources         `json:"resources"`            // all it gets, with the concrete ports
	Reserved   Reserves          `json:"reserved,omitempty"`   // the part of Resources that is out of reservations, with its volumes
	Ports      map[string]uint16 `json:"ports,omitempty"`      // port name -> host port
	Listen     map[string]uint16 `json:"listen,omitempty"`     // port name -> port in the group's own network; empty: those of Ports
	Generation int64             `json:"generation,omitempty"` // of the service spec that launched it
}

// Pool is what a task asks for, by what it is taken out of.
func (t *TaskSpec) Pool() Pool {
	if len(t.Reserved) == 0 {
		return Pool{Open: t.Resources}
	}
	return Pool{Open: t.Resources.Minus(t.Reserved.Flat()), Reserved: t.Reserved}
}

// TaskStatus is one report on a task. The pair (Task, UUID) identifies it; a
// report with a UUID is resent until it is acknowledged.
type TaskStatus struct {
	Task     TaskID    `json:"task"`
	Agent    AgentID   `json:"agent,omitempty"`
	State    TaskState `json:"state"`
	Reason   Reason    `json:"reason,omitempty"`
	Message  string    `json:"message,omitempty"` // for people
	UUID     string    `json:"uuid,omitempty"`    // 32 hex digits; empty when made by the master
	At       Time      `json:"at"`                // agent's clock
	Seq      int64     `json:"seq,omitempty"`     // the agent counts its reports on a task from 1: a lower one is older; 0: not counted, At tells
	ExitCode *int      `json:"exit_code,omitempty"`
	Ready    bool      `json:"ready"`             // passed its readiness check, or runs and has none
	Healthy  *bool     `json:"healthy,omitempty"` // nil without a health check
	Leader   bool      `json:"leader,omitempty"`  // it passed its leader check last
}

// Task is a launched task with its latest status, as the master knows it.
type Task struct {
	Spec    TaskSpec   `json:"spec"`
	Agent   AgentID    `json:"agent"`
	Host    string     `json:"host"` // its agent's Host at launch
	Status  TaskStatus `json:"status"`
	Killing bool       `json:"killing,omitempty"` // we asked it to end
	// KillGrace is the time from TERM to KILL that was asked for with Killing.
	KillGrace Millis `json:"kill_grace_ms,omitempty"`
	// KillReason is why, when it was neither its framework nor a person who asked.
	KillReason Reason       `json:"kill_reason,omitempty"`
	Launched   Time         `json:"launched"`
	Started    Time         `json:"started,omitempty"` // first TASK_RUNNING
	Ended      Time         `json:"ended,omitempty"`
	History    []TaskStatus `json:"history,omitempty"` // latest last, at most MaxTaskHistory
}

// MaxTaskHistory is how many reports of a task are kept.
const MaxTaskHistory = 8

// Active reports whether the task holds resources: it is not terminal.
func (t *Task) Active() bool { return !t.Status.State.Terminal() }
