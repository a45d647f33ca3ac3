package client

import (
	"github.com/universe-dcos/universe/runtime/cluster"
)

// List is a list at one index of the log.
type List[T any] struct {
	Index int64 `json:"index"`
	Items []T   `json:"items"`
}

// State is the cluster in numbers.
type State struct {
	Index     int64             `json:"index"` // commands applied
	Time      cluster.Time      `json:"time"`  // the master's clock
	Agents    AgentCounts       `json:"agents"`
	Services  int               `json:"services"`
	Tasks     TaskCounts        `json:"tasks"`
	Runs      int               `json:"runs"`      // that have not ended
	Total     cluster.Resources `json:"total"`     // of the active agents
	Allocated cluster.Resources `json:"allocated"` // of these, what tasks hold
}

// AgentCounts counts agents by their state.
type AgentCounts struct {
	Active      int `json:"active"`
	Unreachable int `json:"unreachable"`
	Gone        int `json:"gone"`
}

// TaskCounts counts tasks.
type TaskCounts struct {
	Active  int `json:"active"`
	Running int `json:"running"` // of the active ones
	Ended   int `json:"ended"`   // whose records are kept
}

// PutService asks for a service as it is wanted.
type PutService struct {
	Spec         cluster.ServiceSpec   `json:"spec"`
	Installation *cluster.Installation `json:"installation,omitempty"`
	// Expect is the generation that is to be replaced, 0 for a new service;
	// another one there is answered with problem.Conflict or Exists. Nil: any.
	Expect *int64 `json:"expect,omitempty"`
}

// Accepted says that a change is in the log.
type Accepted struct {
	Index int64 `json:"index"` // of the change in the log; for a service, its generation
}

// KillTask asks a task to end.
type KillTask struct {
	Grace cluster.Millis `json:"grace_ms,omitempty"` // from TERM to KILL; 0: the task's own
}

// TaskFilter chooses tasks.
type TaskFilter struct {
	Service cluster.ServiceID // empty: of all services
	All     bool              // ended ones too
}

// LogOptions chooses a part of a task's log.
type LogOptions struct {
	Offset int64 // skip so many bytes
	Tail   int64 // only the last so many lines; 0: all
	Follow bool  // go on until the task has ended
}

// EventOptions chooses events.
type EventOptions struct {
	// Since is the index after which events are wanted; negative: from now on.
	Since   int64
	Service cluster.ServiceID // empty: all events
}

// The paths of the API.
const (
	PathState    = "/v1/state"
	PathAgents   = "/v1/agents"
	PathServices = "/v1/services"
	PathTasks    = "/v1/tasks"
	PathRuns     = "/v1/runs"
	PathEvents   = "/v1/events"
)

// The names of the messages of the event stream that are no events.
const (
	// StreamLost says that events between those sent before and those to come
	// are no longer kept: read the state anew.
	StreamLost = "stream.lost"
)
