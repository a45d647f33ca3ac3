package framework

import (
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// The paths of the API. {id} is the framework's, as Subscribed gave it.
const (
	PathSession = "/v1/frameworks/session"
	PathCalls   = "/v1/frameworks/{id}/calls"
)

// The limits of the API.
const (
	// HeartbeatEvery is the time between two heartbeats on a stream. Who hears
	// nothing for several of them may count the stream as broken.
	HeartbeatEvery cluster.Millis = 15_000
	// MaxSubscribe bounds a Subscribe, in bytes.
	MaxSubscribe = 64 << 10
	// MaxCallsBytes bounds one Calls, in bytes.
	MaxCallsBytes = 8 << 20
	// MaxEventBytes bounds one event, in bytes.
	MaxEventBytes = 16 << 20
	// MaxCalls is how many calls one request makes.
	MaxCalls = 256
	// MaxBatch is how many offers, offer ids or updates one event or call holds.
	MaxBatch = 256
	// MaxTasks is how many tasks one Accept launches.
	MaxTasks = core.MaxTasksPerAccept
	// MaxOperations is how many operations one Accept has.
	MaxOperations = 256
	// MaxReconcile is how many tasks one Reconcile asks for.
	MaxReconcile = 10_000
	// MaxName bounds the name of a framework, in bytes.
	MaxName = 256
	// DefaultRefuse is for how long what an Accept leaves, or a Decline gives
	// back, is not offered again unless the call says otherwise.
	DefaultRefuse cluster.Millis = 5_000
)

// Subscribe opens a session.
type Subscribe struct {
	// Framework says who wants offers. Its ID is empty the first time and what
	// Subscribed gave ever after. Roles are cluster.DefaultRole when empty. The
	// master sets Principal.
	Framework cluster.Framework `json:"framework"`
}

// Event is something a framework is told; exactly one field is set.
type Event struct {
	Subscribed *Subscribed          `json:"subscribed,omitempty"`
	Offers     []cluster.Offer      `json:"offers,omitempty"`
	Rescind    []cluster.OfferID    `json:"rescind,omitempty"` // these are void: expired, or their agent changed
	Updates    []cluster.TaskStatus `json:"updates,omitempty"` // those with a UUID are to be acknowledged
	Operations []OperationStatus    `json:"operations,omitempty"`
	Heartbeat  *Heartbeat           `json:"heartbeat,omitempty"`
	Error      *Error               `json:"error,omitempty"` // the last event of a stream
}

// Subscribed says that a session is open.
type Subscribed struct {
	Framework cluster.FrameworkID `json:"framework"`
	Session   string              `json:"session"` // goes with every call
	Heartbeat cluster.Millis      `json:"heartbeat_ms"`
}

// Heartbeat says that the stream lives.
type Heartbeat struct {
	At cluster.Time `json:"at"` // the master's clock
}

// Error says why the master ends a stream.
type Error struct {
	Code    string `json:"code"` // a class of package problem
	Message string `json:"message"`
}

// OperationStatus says what became of an operation of an Accept. It comes once:
// the reservations of the offers to come are what counts.
type OperationStatus struct {
	ID      string                `json:"id,omitempty"` // as the framework chose it
	Kind    cluster.OperationKind `json:"kind"`
	Refused bool                  `json:"refused,omitempty"`
	Message string                `json:"message,omitempty"`
}

// Calls is what a framework asks for, in order. Where one of them is malformed,
// none is made.
type Calls struct {
	Session string `json:"session"`
	Calls   []Call `json:"calls"`
}

// Call is one wish; exactly one field is set.
type Call struct {
	Accept      *Accept      `json:"accept,omitempty"`
	Decline     *Decline     `json:"decline,omitempty"`
	Revive      *Roles       `json:"revive,omitempty"`
	Suppress    *Roles       `json:"suppress,omitempty"`
	Kill        *Kill        `json:"kill,omitempty"`
	Acknowledge *Acknowledge `json:"acknowledge,omitempty"`
	Reconcile   *Reconcile   `json:"reconcile,omitempty"`
	Teardown    *Teardown    `json:"teardown,omitempty"`
}

// Accept launches tasks out of offers of one agent and one role, after
// operations on what they hold. Framework and Role of a task may be left empty;
// Service, Run, Pod and Generation must be: they are the built-in frameworks'.
// Tasks are tried in order, those that cannot be launched are heard of as
// updates: TASK_ERROR where the task is at fault, TASK_DROPPED where the offers
// are. Tasks with the same Group are launched all or none, and share the network
// that all of them name (LAUNCH_GROUP of Mesos); a group that lives already gets
// no more tasks. Without tasks and operations it is a Decline.
type Accept struct {
	Offers     []cluster.OfferID   `json:"offers"`
	Operations []cluster.Operation `json:"operations,omitempty"`
	Tasks      []cluster.TaskSpec  `json:"tasks,omitempty"`
	// AllOrNone refuses all operations and tasks when any of them is refused: a gang.
	AllOrNone bool `json:"all_or_none,omitempty"`
	// RefuseFor is for how long what is left is not offered again, unless there
	// is more; nil: DefaultRefuse, 0: not at all.
	RefuseFor *cluster.Millis `json:"refuse_for_ms,omitempty"`
}

// Decline gives offers back. Those that are void already do not matter.
type Decline struct {
	Offers    []cluster.OfferID `json:"offers"`
	RefuseFor *cluster.Millis   `json:"refuse_for_ms,omitempty"` // as in Accept
}

// Roles names roles of the framework; none: all of them.
type Roles struct {
	Roles []cluster.Role `json:"roles,omitempty"`
}

// Kill asks a task to end. For one that the framework does not have, the answer
// is that of a Reconcile.
type Kill struct {
	Task  cluster.TaskID `json:"task"`
	Grace cluster.Millis `json:"grace_ms,omitempty"` // from TERM to KILL; 0: the task's own
}

// Acknowledge says that an update need not come again. One that is not waited
// for does not matter.
type Acknowledge struct {
	Task cluster.TaskID `json:"task"`
	UUID string         `json:"uuid"`
}

// Reconcile asks for the present status of tasks; none: of all that have not
// ended. The answers are updates without a UUID, with REASON_RECONCILIATION;
// for what the framework does not have, TASK_UNKNOWN, or what the state of the
// agent that it names lets one say.
type Reconcile struct {
	Tasks []core.TaskQuestion `json:"tasks,omitempty"`
}

// Teardown removes the framework and kills its tasks. The session ends.
type Teardown struct{}
