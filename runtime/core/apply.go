package core

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// State is the state machine. It has one owner, who calls Apply and View;
// everybody else reads views.
type State struct {
	v View

	// What the running Apply produces and knows of its command.
	by      string
	kind    string
	events  []Event
	effects []Effect
}

// New gives the empty state, at index 0.
func New() *State { return &State{} }

// View gives the state as it is now. It costs no more than a few pointers.
func (s *State) View() *View { return s.v.freeze() }

// Index is the number of commands applied.
func (s *State) Index() int64 { return s.v.index }

// Apply takes the next command of the log. A time before that of an earlier
// command counts as that one: the state's time never goes back.
func (s *State) Apply(at cluster.Time, c Command) ([]Event, []Effect) {
	s.v.index++
	s.v.at = max(s.v.at, at)
	s.by, s.kind, s.events, s.effects = c.principal(), c.Kind(), nil, nil
	switch c := c.(type) {
	case RegisterAgent:
		s.registerAgent(c)
	case AgentUnreachable:
		s.agentUnreachable(c)
	case AgentGone:
		s.agentGone(c)
	case PutFramework:
		s.putFramework(c)
	case DisconnectFramework:
		s.disconnectFramework(c)
	case RemoveFramework:
		s.removeFramework(c)
	case AcceptOffers:
		s.acceptOffers(c)
	case UpdateTask:
		s.updateTask(c)
	case KillTask:
		s.killTask(c)
	case PutRun:
		s.putRun(c)
	case CancelRun:
		s.cancelRun(c)
	case ExpireFramework:
		s.expireFramework(c)
	case DrainAgent:
		s.drainAgent(c)
	case ExpireDrain:
		s.expireDrain(c)
	case DeactivateAgent:
		s.deactivateAgent(c)
	case ReactivateAgent:
		s.reactivateAgent(c)
	case PutMaintenance:
		s.putMaintenance(c)
	case OperateAgent:
		s.operateAgent(c)
	case PutQuota:
		s.putQuota(c)
	case PutWeights:
		s.putWeights(c)
	default:
		s.applyToService(c)
	}
	events, effects := s.events, s.effects
	s.events, s.effects = nil, nil
	return events, effects
}

// applyToService does a command about services.
func (s *State) applyToService(c Command) {
	switch c := c.(type) {
	case PutService:
		s.putService(c)
	case RemoveService:
		s.removeService(c)
	case ForgetService:
		s.forgetService(c)
	case ReleasePlaces:
		s.releasePlaces(c)
	case ReleaseLeftovers:
		s.releaseLeftovers(c)
	case RestartInstance:
		s.restartInstance(c)
	case PlanCall:
		s.planCall(c)
	case RollbackService:
		s.rollbackService(c)
	case SettleService:
		s.settleService(c)
	default:
		// Command is sealed: only a pointer to one of its types comes here.
		panic(fmt.Sprintf("core: command %T is not a value of this package", c))
	}
}

// emit adds an event; the caller gives what is special about it.
func (s *State) emit(e Event) {
	e.Index, e.At, e.Principal = s.v.index, s.v.at, s.by
	s.events = append(s.events, e)
}

// refuse says that the command does not suit the state. where names the objects.
func (s *State) refuse(code Code, where Event, format string, args ...any) {
	where.Kind, where.Code, where.Command = EventRefused, code, s.kind
	where.Message = fmt.Sprintf(format, args...)
	s.emit(where)
}

func (s *State) order(e Effect) { s.effects = append(s.effects, e) }

// kill orders the end of a task the master may not even know.
func (s *State) kill(agent cluster.AgentID, task cluster.TaskID, grace cluster.Millis) {
	s.order(Effect{Agent: agent, Order: cluster.Order{Kind: cluster.OrderKill, Task: task, Grace: grace}})
}

// ack confirms a report; a report made without a UUID needs none.
func (s *State) ack(agent cluster.AgentID, task cluster.TaskID, uuid string) {
	if uuid == "" || agent == "" {
		return
	}
	s.order(Effect{Agent: agent, Order: cluster.Order{Kind: cluster.OrderAck, Task: task, UUID: uuid}})
}
