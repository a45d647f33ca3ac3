package core

import "github.com/universe-dcos/universe/runtime/cluster"

// EventKind says what an event is about.
type EventKind string

// The kinds of events.
const (
	EventAgentRegistered   EventKind = "agent.registered"
	EventAgentReregistered EventKind = "agent.reregistered"
	EventAgentUnreachable  EventKind = "agent.unreachable"
	EventAgentGone         EventKind = "agent.gone"
	EventAgentDraining     EventKind = "agent.draining" // again, when its deadline changes or is over
	EventAgentDrained      EventKind = "agent.drained"
	EventAgentDeactivated  EventKind = "agent.deactivated"
	EventAgentReactivated  EventKind = "agent.reactivated"
	EventAgentMaintenance  EventKind = "agent.maintenance" // its planned unavailability changed

	EventOperationDone    EventKind = "operation.done"    // State is its kind
	EventOperationRefused EventKind = "operation.refused" // State is its kind; Message says why

	EventQuotaPut   EventKind = "quota.put"
	EventWeightsPut EventKind = "weights.put"

	EventFrameworkConnected    EventKind = "framework.connected"
	EventFrameworkDisconnected EventKind = "framework.disconnected"
	EventFrameworkRemoving     EventKind = "framework.removing"
	EventFrameworkRemoved      EventKind = "framework.removed"

	EventTaskLaunched EventKind = "task.launched" // accepted; State is TASK_STAGING
	EventTaskUpdated  EventKind = "task.updated"  // its status changed
	EventTaskKilling  EventKind = "task.killing"  // it was asked to end
	EventTaskRefused  EventKind = "task.refused"  // not accepted; State, Reason and Message say how it ended

	EventServicePut       EventKind = "service.put"
	EventServiceRemoving  EventKind = "service.removing"
	EventServiceForgotten EventKind = "service.forgotten"

	EventServiceSettled EventKind = "service.settled" // its generation is brought up completely
	EventServiceLeft    EventKind = "service.left"    // forgotten, and its places are leftovers

	EventPlaceMade     EventKind = "place.made"     // Instance and Agent say where
	EventPlaceReleased EventKind = "place.released" // with its volumes and their data
	EventPlaceKept     EventKind = "place.kept"     // taken up from the leftovers of a service of before

	EventInstanceRestart EventKind = "instance.restart" // a person wants its tasks started again
	EventInstanceReplace EventKind = "instance.replace" // a person, or recovery, wants another place for it

	EventPlanStarted EventKind = "plan.started"   // by hand; EventServicePut starts deploy or update
	EventPlanCalled  EventKind = "plan.called"    // State is the verb, Step what it is about
	EventPlanStep    EventKind = "plan.step"      // a step or gate is complete; Run did it
	EventPlanEnded   EventKind = "plan.ended"     // State is "complete", "stopped" or "replaced"; EventServiceSettled completes deploy or update
	EventNoReturn    EventKind = "plan.no_return" // a step closed the way back to specs of before

	EventRunPut     EventKind = "run.put"
	EventRunStarted EventKind = "run.started"
	EventRunEnded   EventKind = "run.ended" // State is the run's state

	EventRefused EventKind = "command.refused" // Code and Message say why
)

// Code is the class of a refusal, in the words of package problem.
type Code string

// The codes.
const (
	CodeInvalid   Code = "invalid"   // wrong, and would be wrong again
	CodeNotFound  Code = "not_found" // names something that is not there
	CodeExists    Code = "exists"    // the name is taken
	CodeConflict  Code = "conflict"  // does not suit the present state
	CodeForbidden Code = "forbidden" // not for the one who asked
)

// Event is something that happened, for watchers and the audit log.
type Event struct {
	Index     int64               `json:"index"` // of the command in the log; several events can share it
	At        cluster.Time        `json:"at"`
	Kind      EventKind           `json:"kind"`
	Service   cluster.ServiceID   `json:"service,omitempty"`
	Run       cluster.RunID       `json:"run,omitempty"`
	Task      cluster.TaskID      `json:"task,omitempty"`
	Agent     cluster.AgentID     `json:"agent,omitempty"`
	Framework cluster.FrameworkID `json:"framework,omitempty"`
	State     string              `json:"state,omitempty"` // of the task, run or agent
	Reason    cluster.Reason      `json:"reason,omitempty"`
	Code      Code                `json:"code,omitempty"`      // for EventRefused
	Command   string              `json:"command,omitempty"`   // kind of the refused command, for EventRefused
	Message   string              `json:"message,omitempty"`   // for people
	Ready     bool                `json:"ready,omitempty"`     // for EventTaskUpdated
	Leader    bool                `json:"leader,omitempty"`    // for EventTaskUpdated
	Operation string              `json:"operation,omitempty"` // its id, for EventOperationDone and EventOperationRefused
	Instance  string              `json:"instance,omitempty"`  // InstanceKey, for events of places and instances
	Plan      string              `json:"plan,omitempty"`      // for events of plans
	Step      string              `json:"step,omitempty"`      // cluster.StepKey, or a phase, for events of plans
	Principal string              `json:"principal,omitempty"`
}

// Refused gives the refusal among the events of one Apply, or nil: what the
// shell answers to whoever sent the command.
func Refused(events []Event) *Event {
	for i := range events {
		if events[i].Kind == EventRefused {
			return &events[i]
		}
	}
	return nil
}

// Effect is an order for an agent. It may be lost: it follows from the state,
// and the agent's next registration derives it again.
type Effect struct {
	Agent cluster.AgentID `json:"agent"`
	Order cluster.Order   `json:"order"` // OrderLaunch, OrderKill, OrderAck or OrderDestroy; Spec is the record's own and must not be changed
}
