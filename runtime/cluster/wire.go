package cluster

// The messages between an agent and its master, as JSON over HTTP with mutual
// TLS. The agent calls the master and never the other way about, but for logs and exec:
//
//	POST PathSession    body Hello; the reply is 200 and a stream of
//	                    newline-delimited Orders that lasts until either side
//	                    ends it. A new session of an agent ends its old one.
//	POST PathUpdates    body Updates; 204 when they are in the log
//	POST PathHeartbeat  body Heartbeat; 204, or 410 when the session is not
//	                    the agent's current one (it opens a new one then)
//
// The certificate's common name is the agent's id: an agent speaks for itself only.
const (
	PathSession   = "/v1/agent/session"
	PathUpdates   = "/v1/agent/updates"
	PathHeartbeat = "/v1/agent/heartbeat"
)

// Hello opens a session: who the agent is and every task it holds, so that
// both sides agree before anything is ordered. Tasks that ended and whose last
// report is not acknowledged are among them.
type Hello struct {
	Agent Agent        `json:"agent"`
	Tasks []TaskReport `json:"tasks"`
	Boot  string       `json:"boot"` // the kernel's boot id: another one means the tasks of before are gone
	// Life names the agent's memory, Attempt counts the Hellos made from it: a
	// Hello with a lower Attempt of the same Life is older than what came before
	// and says nothing. Attempt 0: not counted.
	Life    string `json:"life,omitempty"`
	Attempt int64  `json:"attempt,omitempty"`
	// Volumes is what the agent has data of.
	Volumes []VolumeName `json:"volumes,omitempty"`
}

// VolumeName names a volume on an agent.
type VolumeName struct {
	Role Role   `json:"role"`
	ID   string `json:"id"`
}

// TaskReport is a task an agent holds.
type TaskReport struct {
	Spec   TaskSpec   `json:"spec"`
	Status TaskStatus `json:"status"`
}

// OrderKind is what the master wants of an agent.
type OrderKind string

// The orders.
const (
	OrderWelcome OrderKind = "welcome" // first on every stream; Session is set
	OrderLaunch  OrderKind = "launch"  // Spec; launching a task the agent holds is a no-op
	OrderKill    OrderKind = "kill"    // Task, Grace; killing one it does not hold answers TASK_LOST
	OrderAck     OrderKind = "ack"     // Task, UUID
	OrderDestroy OrderKind = "destroy" // Role, Volume: the volume's data goes; one that is not there is no error
	OrderPing    OrderKind = "ping"    // nothing; shows that the stream lives, every HeartbeatEvery
)

// Order is one line on the session stream.
type Order struct {
	Kind    OrderKind `json:"kind"`
	Session string    `json:"session,omitempty"`
	Spec    *TaskSpec `json:"spec,omitempty"`
	Task    TaskID    `json:"task,omitempty"`
	Grace   Millis    `json:"grace_ms,omitempty"`
	UUID    string    `json:"uuid,omitempty"`
	Role    Role      `json:"role,omitempty"`   // of a volume
	Volume  string    `json:"volume,omitempty"` // its id
}

// Updates carries reports on tasks, oldest first.
type Updates struct {
	Session  string       `json:"session"`
	Statuses []TaskStatus `json:"statuses"`
}

// Heartbeat says that an agent lives.
type Heartbeat struct {
	Session string `json:"session"`
}

const (
	// HeartbeatEvery is the time between two heartbeats, in both directions.
	HeartbeatEvery Millis = 5_000
	// AgentTimeout is the silence after which an agent counts as unreachable.
	AgentTimeout Millis = 30_000
	// MaxWireMessage bounds one message between agent and master, in bytes.
	MaxWireMessage = 16 << 20
)

// The agent's own API, served with mutual TLS to the master only:
//
//	GET PathTaskLog?task=ID[&stream=stdout|stderr][&offset=N][&tail=N][&follow=true]
//	    the task's output as text/plain, both streams in their order unless one
//	    is named; follow streams until the task has ended
//	POST PathTaskExec?task=ID&arg=…[&arg=…][&tty=true[&columns=N&rows=N]]
//	    with "Connection: Upgrade" and "Upgrade: universe-exec/1": runs a process
//	    in the task's container; answered by 101, then frames (package execwire)
const (
	PathTaskLog  = "/v1/task/log"
	PathTaskExec = "/v1/task/exec"
)
