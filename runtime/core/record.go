package core

import (
	"strconv"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Agent is a node as the master knows it.
type Agent struct {
	Info       cluster.Agent      `json:"info"`
	State      cluster.AgentState `json:"state"`
	Boot       string             `json:"boot,omitempty"`    // the kernel's boot id at its last registration
	Life       string             `json:"life,omitempty"`    // of its memory at its last registration (cluster.Hello)
	Attempt    int64              `json:"attempt,omitempty"` // the highest of that Life; an older registration says nothing
	Registered cluster.Time       `json:"registered"`        // first registration
	Since      cluster.Time       `json:"since"`             // since when it is in State; a re-registration counts
	Allocated  cluster.Resources  `json:"allocated"`         // what its active tasks hold
	Tasks      int                `json:"tasks,omitempty"`   // how many tasks are active on it
	// Shrunk is set while its tasks hold, and reservations keep, more than it
	// has, which happens when it registers again with less. It gets no offer
	// until it fits again.
	Shrunk bool `json:"shrunk,omitempty"`
	// Reserved is all that is reserved on it: the static reservations it
	// registered with, as operations changed them, and the dynamic ones.
	Reserved cluster.Reserves `json:"reserved,omitempty"`
	Held     cluster.Reserves `json:"held,omitempty"` // the part of Reserved that its active tasks hold
	// Doomed is the volumes that were destroyed since it last registered, at most
	// MaxDoomed. Whether it has heard of that is not known until it registers
	// again: no volume of such a name is made meanwhile, or it could show what the
	// one before held.
	Doomed      []cluster.VolumeName    `json:"doomed,omitempty"`
	Deactivated bool                    `json:"deactivated,omitempty"` // an operator wants no more tasks on it
	Drain       *Drain                  `json:"drain,omitempty"`       // it is being emptied, or is empty; nil: neither
	Maintenance *cluster.Unavailability `json:"maintenance,omitempty"` // when it is planned to be away
}

// Offerable reports whether an agent can be offered: it is in touch, is not
// deactivated or drained, and its tasks fit.
func (a *Agent) Offerable() bool {
	return a.State == cluster.AgentActive && !a.Shrunk && !a.Deactivated && a.Drain == nil
}

// Free is what is not reserved and no active task holds; nothing when the agent
// cannot be offered.
func (a *Agent) Free() cluster.Resources { return a.FreePool().Open }

// FreePool is what no active task holds; nothing when the agent cannot be offered.
func (a *Agent) FreePool() cluster.Pool {
	if !a.Offerable() {
		return cluster.Pool{}
	}
	return a.unheld()
}

// unheld is what no active task holds.
func (a *Agent) unheld() cluster.Pool {
	p := cluster.Pool{Open: a.Info.Total.Minus(a.Allocated)}
	if len(a.Reserved) > 0 {
		p.Reserved = a.Reserved.Minus(a.Held)
		p.Open = p.Open.Minus(p.Reserved.Flat())
	}
	return p
}

// shrunk reports whether an agent has less than its tasks hold and is reserved.
func (a *Agent) shrunk() bool {
	need := a.Allocated
	if len(a.Reserved) > 0 {
		need = need.Plus(a.Reserved.Minus(a.Held).Flat())
	}
	return cluster.Fits(a.Info.Total, need) != nil
}

// Framework is a framework as the master knows it.
type Framework struct {
	Info      cluster.Framework `json:"info"`
	Connected bool              `json:"connected"`
	Since     cluster.Time      `json:"since"`              // since when Connected is what it is
	Removing  bool              `json:"removing,omitempty"` // its tasks are being killed; it goes with the last one
}

// Service is a service as it is wanted.
type Service struct {
	Spec cluster.ServiceSpec `json:"spec"`
	// Generation is the log index of the command that put Spec.
	Generation   int64                 `json:"generation"`
	Installation *cluster.Installation `json:"installation,omitempty"` // the release it came from; nil for a bare service
	Removing     bool                  `json:"removing,omitempty"`     // its tasks are to be killed, then ForgetService
	Created      cluster.Time          `json:"created"`
	Updated      cluster.Time          `json:"updated"`
	Principal    string                `json:"principal,omitempty"` // who put Spec
	// Places is, by InstanceKey, where its instances with volumes live. Those of
	// instances that Spec has no more (scaled down, a pod taken out) stay until
	// ReleasePlaces.
	Places map[string]*cluster.Place `json:"places,omitempty"`
	// History is the specs of before, the latest last, at most MaxHistory.
	History []Revision `json:"history,omitempty"`
	// Settled is the latest generation that was brought up completely; lower than
	// Generation: a change is under way. 0: none ever was.
	Settled int64 `json:"settled,omitempty"`
	// Plans is, by name, how far the latest start of each plan is.
	Plans map[string]*PlanRecord `json:"plans,omitempty"`
	// NoReturn is the lowest generation that can come back; 0: any. NoReturnBy is
	// the step that closed the way, "plan phase/step".
	NoReturn   int64  `json:"no_return,omitempty"`
	NoReturnBy string `json:"no_return_by,omitempty"`
	KeepData   bool   `json:"keep_data,omitempty"` // with Removing: its places become Leftovers
}

// Changing reports whether a change of a service is under way.
func (s *Service) Changing() bool { return s.Settled < s.Generation }

// Instance is what is remembered of one instance of a pod over its launches;
// View.Instance gives it. How long to wait before the next launch follows from
// Failures and FailedAt; package service computes it.
type Instance struct {
	// Failures counts unexpected endings in a row. It starts again at 1 when
	// the instance had been ready for StableAfter before it failed, and at 0
	// with a new spec. Endings that are not the task's fault do not count: it
	// was killed by us, its agent restarted or is gone, the acceptance was refused.
	Failures int             `json:"failures,omitempty"`
	FailedAt cluster.Time    `json:"failed_at,omitempty"` // of the last failure
	ReadyAt  cluster.Time    `json:"ready_at,omitempty"`  // when a task of it was first ready since the last launch; 0: none was
	Launches int64           `json:"launches,omitempty"`  // accepted launches of its tasks, ever
	Host     string          `json:"host,omitempty"`      // address of the agent it was last launched on
	Agent    cluster.AgentID `json:"agent,omitempty"`     // that agent
	// Tasks is, by task name, the latest accepted launch of each of its tasks.
	Tasks       map[string]cluster.TaskID `json:"tasks,omitempty"`
	LastTask    cluster.TaskID            `json:"last_task,omitempty"`    // the task that ended last
	LastState   cluster.TaskState         `json:"last_state,omitempty"`   // how it ended
	LastReason  cluster.Reason            `json:"last_reason,omitempty"`  // and why
	LastMessage string                    `json:"last_message,omitempty"` // in words
	LastEnded   cluster.Time              `json:"last_ended,omitempty"`   // and when
	// Done is, by task name, the latest good ending of the tasks with a goal
	// of ONCE or FINISH. It outlives the records of ended tasks.
	Done map[string]Completion `json:"done,omitempty"`
	// Replace says that a person, or recovery, wants another place for it: it is
	// not launched on its place any more, which waits for ReleasePlaces.
	Replace bool `json:"replace,omitempty"`
}

// Completion is a task that reached its goal.
type Completion struct {
	Task cluster.TaskID `json:"task"`
	Hash string         `json:"hash,omitempty"` // of the template it was made from
	At   cluster.Time   `json:"at"`
}

// InstanceKey names an instance of a pod inside its service: "worker-0".
func InstanceKey(pod string, index int) string { return pod + "-" + strconv.Itoa(index) }

// RunState is where a run stands.
type RunState string

// The states of a run. The last three are final.
const (
	RunPending  RunState = "pending"  // waits for an offer
	RunActive   RunState = "active"   // its task is launched
	RunFinished RunState = "finished" // its task ended with 0
	RunFailed   RunState = "failed"
	RunCanceled RunState = "canceled" // somebody asked it to end
)

// Final reports whether a state is never left.
func (r RunState) Final() bool { return r == RunFinished || r == RunFailed || r == RunCanceled }

// Run is one run of an action.
type Run struct {
	Spec      cluster.RunSpec `json:"spec"`
	State     RunState        `json:"state"`
	Index     int64           `json:"index"`              // log index of its PutRun
	Canceled  bool            `json:"canceled,omitempty"` // its task is being killed for CancelRun
	Task      cluster.TaskID  `json:"task,omitempty"`     // its task, once launched
	Attempts  int             `json:"attempts,omitempty"` // acceptances tried, refused ones included
	Reason    cluster.Reason  `json:"reason,omitempty"`   // of its end, or why the last acceptance was refused
	Message   string          `json:"message,omitempty"`  // in words
	ExitCode  *int            `json:"exit_code,omitempty"`
	Created   cluster.Time    `json:"created"`
	Ended     cluster.Time    `json:"ended,omitempty"`
	Principal string          `json:"principal,omitempty"`
}

// Usage is what the active tasks of one framework hold under one role.
type Usage struct {
	Role      cluster.Role        `json:"role"`
	Framework cluster.FrameworkID `json:"framework"`
	CPU       int64               `json:"cpu_milli"`
	Mem       int64               `json:"mem_bytes"`
	Disk      int64               `json:"disk_bytes"`
	GPUs      int64               `json:"gpus,omitempty"`
	Tasks     int                 `json:"tasks"`
}

const (
	// StableAfter is how long an instance must have been ready for its earlier
	// failures to be forgotten. Were they forgotten at once, a task without a
	// readiness check that crashes at its start would never be held back.
	StableAfter cluster.Millis = 60_000
	// MaxDoomed is how many destroyed volumes of an agent are remembered.
	MaxDoomed = 1024
	// MaxEndedPerService is how many ended tasks of one service are kept.
	MaxEndedPerService = 20
	// MaxEnded is how many ended tasks are kept in all.
	MaxEnded = 1000
	// MaxEndedRuns is how many ended runs are kept in all.
	MaxEndedRuns = 200
	// MaxMessage bounds the text of a task's status, in bytes.
	MaxMessage = 1024
	// MaxTasksPerAccept bounds the tasks of one AcceptOffers.
	MaxTasksPerAccept = 1000
	// MaxAgents is how many agents are known at most, gone ones too.
	MaxAgents = 100_000
	// MaxHistory is how many specs of before are kept of a service.
	MaxHistory = 10
	// MaxPlacesPerAccept bounds the places of one AcceptOffers.
	MaxPlacesPerAccept = 100
	// MaxInstances bounds the instances of one service, over all its pods.
	MaxInstances = 10_000
)
