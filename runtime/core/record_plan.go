package core

import "github.com/universe-dcos/universe/runtime/cluster"

// Revision is a spec that a service had before.
type Revision struct {
	Generation   int64                 `json:"generation"`
	Spec         cluster.ServiceSpec   `json:"spec"`
	Installation *cluster.Installation `json:"installation,omitempty"`
	At           cluster.Time          `json:"at"` // when it was put
	Principal    string                `json:"principal,omitempty"`
	Settled      bool                  `json:"settled,omitempty"` // it was brought up completely
}

// PlanRecord is how far one start of a plan is. It outlives the records of the
// runs it made: what is in Done is never run again in this start.
type PlanRecord struct {
	Started    int64        `json:"started"` // log index of the command that started it
	At         cluster.Time `json:"at"`      // and its time
	Generation int64        `json:"generation"`
	// Back is the generation whose spec a rollback brings back; 0: it is no rollback.
	Back   int64 `json:"back,omitempty"`
	Paused bool  `json:"paused,omitempty"` // what runs goes on, nothing new begins
	// Stopped is as Paused, and its runs were canceled. A plan that was started by
	// hand has Ended with it.
	Stopped bool `json:"stopped,omitempty"`
	// Words is what a person confirmed: "" the plan, "phase", or StepKey.
	Words map[string]cluster.Time `json:"words,omitempty"`
	// Forced is the steps, and the instances with their gates, by StepKey, that a
	// person declared complete.
	Forced map[string]cluster.Time `json:"forced,omitempty"`
	// Done is the steps and gates, by StepKey, whose run ended with 0. Hash is of
	// the run's task.
	Done map[string]Completion `json:"done,omitempty"`
	// Tries counts, by StepKey, the runs that failed or were canceled, since the
	// last restart of the step.
	Tries map[string]int `json:"tries,omitempty"`
	// Runs counts, by StepKey, all runs that were put: a number for the next run's id.
	Runs  map[string]int `json:"runs,omitempty"`
	Ended cluster.Time   `json:"ended,omitempty"` // all was done, it was stopped, or its change was replaced; 0: it goes on
}

// Complete reports whether a step or gate needs no run (any more).
func (p *PlanRecord) Complete(key string) bool {
	_, forced := p.Forced[key]
	_, done := p.Done[key]
	return forced || done
}

// Leftovers is the places of a service that is gone, with their data. The next
// service of its id takes them up; ReleaseLeftovers destroys them.
type Leftovers struct {
	Service cluster.ServiceID         `json:"service"`
	Role    cluster.Role              `json:"role"`           // cluster.PlaceRole of the service
	Places  map[string]*cluster.Place `json:"places"`         // by InstanceKey
	Done    map[string]Tasks          `json:"done,omitempty"` // by InstanceKey, what ran on the volumes already: Instance.Done
	At      cluster.Time              `json:"at"`             // when the service went
}

// Tasks is, by task name, the good endings of tasks of an instance.
type Tasks map[string]Completion
