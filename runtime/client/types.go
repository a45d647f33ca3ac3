package client

import (
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
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
	// Over replaces a change that is under way, which otherwise is answered with
	// problem.Conflict.
	Over bool `json:"over,omitempty"`
}

// Accepted says that a change is in the log.
type Accepted struct {
	Index int64 `json:"index"` // of the change in the log; for a service, its generation
}

// KillTask asks a task to end.
type KillTask struct {
	Grace cluster.Millis `json:"grace_ms,omitempty"` // from TERM to KILL; 0: the task's own
}

// Framework is a framework with how much it runs.
type Framework struct {
	core.Framework
	Tasks int `json:"tasks"` // its active ones
}

// DrainAgent empties an agent: it gets no more tasks, and those it has are moved
// or end.
type DrainAgent struct {
	// Within is after how long what still runs is killed; 0: at once.
	Within   cluster.Millis `json:"within_ms"`
	MaxGrace cluster.Millis `json:"max_grace_ms,omitempty"` // bounds the time from TERM to KILL; 0: each task's own
	MarkGone bool           `json:"mark_gone,omitempty"`    // declare it gone once it is empty
}

// MaxDrain is the longest Within: 365 days.
const MaxDrain cluster.Millis = 31_536_000_000

// Maintenance plans when agents are away. It moves nothing: offers carry it.
type Maintenance struct {
	Agents []cluster.AgentID       `json:"agents"`
	Window *cluster.Unavailability `json:"window"` // null: nothing is planned
}

// MintToken asks for a token with which one machine can join as an agent, once.
type MintToken struct {
	Agent cluster.AgentID `json:"agent,omitempty"`   // the only one it is good for, which may be there already; empty: any new one
	Life  cluster.Millis  `json:"life_ms,omitempty"` // how long it is good; 0: an hour
}

// JoinToken is a token to join with: universe agent join --token.
type JoinToken struct {
	Token   string          `json:"token"` // a secret
	Agent   cluster.AgentID `json:"agent,omitempty"`
	Expires cluster.Time    `json:"expires"`
}

// TaskFilter chooses tasks.
type TaskFilter struct {
	Service cluster.ServiceID // empty: of all services
	All     bool              // ended ones too
}

// LogOptions chooses a part of a task's log.
type LogOptions struct {
	Stream string // "stdout" or "stderr"; empty: both in their order
	Offset int64  // skip so many bytes
	Tail   int64  // only the last so many lines; 0: all
	Follow bool   // go on until the task has ended
}

// EventOptions chooses events.
type EventOptions struct {
	// Since is the index after which events are wanted; negative: from now on.
	Since   int64
	Service cluster.ServiceID // empty: all events
}

// The paths of the API.
const (
	PathState      = "/v1/state"
	PathFrameworks = "/v1/frameworks"
	PathAgents     = "/v1/agents"
	PathServices   = "/v1/services"
	PathTokens     = "/v1/agents/tokens"
	// PathMaintenance takes a Maintenance.
	PathMaintenance = "/v1/agents/maintenance"
	PathTasks       = "/v1/tasks"
	PathRuns        = "/v1/runs"
	PathEvents      = "/v1/events"
	PathLeftovers   = "/v1/leftovers"
)

// QueryKeepData is the query parameter of DELETE on a service: true leaves its
// volumes.
const QueryKeepData = "keep_data"

// The names of the messages of the event stream that are no events.
const (
	// StreamLost says that events between those sent before and those to come
	// are no longer kept: read the state anew.
	StreamLost = "stream.lost"
)
