package core

import "github.com/universe-dcos/universe/runtime/cluster"

// PlaceFor is a place that an acceptance makes for an instance. Host, Hostname
// and Made of Place are set by Apply, from the agent and the time.
type PlaceFor struct {
	Service cluster.ServiceID `json:"service"`
	Pod     string            `json:"pod"`
	Index   int               `json:"index"`
	Place   cluster.Place     `json:"place"`
}

// ReleasePlaces gives up the places of instances, all or none: their volumes are
// destroyed with their data and what was reserved is free again. An instance
// with an active task keeps its place. Where the agent is gone there is nothing
// left to destroy. ONCE tasks of the instances run again on new volumes.
type ReleasePlaces struct {
	Service   cluster.ServiceID `json:"service"`
	Instances []string          `json:"instances"` // InstanceKey
	Principal string            `json:"principal,omitempty"`
}

// ReleaseLeftovers destroys what a removed service left.
type ReleaseLeftovers struct {
	Service   cluster.ServiceID `json:"service"`
	Principal string            `json:"principal,omitempty"`
}

// RestartInstance kills the active tasks of an instance, or one of them; the
// service framework launches them again, at once: failures of before are
// forgotten. The endings count as no failures.
//
// With Replace an instance that has a place gets another one: its tasks that are
// TASK_UNREACHABLE end as TASK_GONE_BY_OPERATOR and are killed should their
// agent return, so that ReleasePlaces can follow.
type RestartInstance struct {
	Service   cluster.ServiceID `json:"service"`
	Pod       string            `json:"pod"`
	Index     int               `json:"index"`
	Task      string            `json:"task,omitempty"` // empty: all
	Replace   bool              `json:"replace,omitempty"`
	Principal string            `json:"principal,omitempty"`
}

// Verb is what is wanted of a plan.
type Verb string

// The verbs of plans. All but VerbStart need a plan that goes on.
const (
	VerbStart   Verb = "start"          // a plan of ServiceSpec.Plans, which is not under way
	VerbConfirm Verb = "confirm"        // a person's word for the plan, a phase or a step
	VerbPause   Verb = "pause"          // what runs goes on, nothing new begins
	VerbResume  Verb = "resume"         // undoes VerbPause and, of deploy and update, VerbStop
	VerbStop    Verb = "stop"           // as VerbPause, and its runs are canceled; a plan that was started by hand ends
	VerbForce   Verb = "force-complete" // a step, or an instance with its gate, counts as done; a run of it is canceled
	VerbRestart Verb = "restart"        // a phase or step again: what is done, forced and confirmed of it is forgotten
)

// PlanCall is a person's wish on a plan of a service.
type PlanCall struct {
	Service   cluster.ServiceID `json:"service"`
	Plan      string            `json:"plan"`
	Verb      Verb              `json:"verb"`
	Phase     string            `json:"phase,omitempty"` // for VerbConfirm, VerbForce and VerbRestart
	Step      string            `json:"step,omitempty"`  // of Phase, or the InstanceKey of an instance of its pod
	Principal string            `json:"principal,omitempty"`
}

// RollbackService puts a spec of before, with its installation, as a new
// generation, also while a change is under way.
type RollbackService struct {
	Service cluster.ServiceID `json:"service"`
	// Generation is that of the spec in Service.History; 0: the latest that was
	// brought up completely and differs from the present one.
	Generation int64  `json:"generation,omitempty"`
	Expect     *int64 `json:"expect,omitempty"` // as in PutService
	Principal  string `json:"principal,omitempty"`
}

// SettleService says that a generation of a service is brought up completely;
// the service framework finds that.
type SettleService struct {
	Service    cluster.ServiceID `json:"service"`
	Generation int64             `json:"generation"`
	Principal  string            `json:"principal,omitempty"`
}

// Kind implements Command.
func (ReleasePlaces) Kind() string { return "places.release" }

// Kind implements Command.
func (ReleaseLeftovers) Kind() string { return "leftovers.release" }

// Kind implements Command.
func (RestartInstance) Kind() string { return "instance.restart" }

// Kind implements Command.
func (PlanCall) Kind() string { return "plan.call" }

// Kind implements Command.
func (RollbackService) Kind() string { return "service.rollback" }

// Kind implements Command.
func (SettleService) Kind() string { return "service.settle" }

func (c ReleasePlaces) principal() string    { return c.Principal }
func (c ReleaseLeftovers) principal() string { return c.Principal }
func (c RestartInstance) principal() string  { return c.Principal }
func (c PlanCall) principal() string         { return c.Principal }
func (c RollbackService) principal() string  { return c.Principal }
func (c SettleService) principal() string    { return c.Principal }
