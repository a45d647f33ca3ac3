package core

import "github.com/universe-dcos/universe/runtime/cluster"

// Command is an entry of the log. The types of this file are all there are;
// each is a plain struct that holds everything Apply cannot derive: times come
// beside it, ids are minted before it. All carry the principal who caused them.
type Command interface {
	// Kind is the command's name in the log; it never changes.
	Kind() string
	principal() string
}

// RegisterAgent registers an agent, or registers it again after any break, with
// every task it holds. Apply reconciles: a task both know takes the reported
// status; a STAGING one the agent lacks is launched again; a later one it lacks
// is TASK_LOST; one the master does not know, or knows as ended, is killed.
type RegisterAgent struct {
	Agent     cluster.Agent        `json:"agent"`
	Boot      string               `json:"boot,omitempty"`
	Tasks     []cluster.TaskReport `json:"tasks,omitempty"`
	Volumes   []cluster.VolumeName `json:"volumes,omitempty"` // what it has data of; those that are not the master's are destroyed
	Life      string               `json:"life,omitempty"`    // as in cluster.Hello
	Attempt   int64                `json:"attempt,omitempty"` // as in cluster.Hello: one that is not higher than the last of the same Life is refused
	Principal string               `json:"principal,omitempty"`
}

// AgentUnreachable says that an agent was silent longer than the time-out. Its
// tasks become TASK_UNREACHABLE and keep their resources.
type AgentUnreachable struct {
	Agent     cluster.AgentID `json:"agent"`
	Principal string          `json:"principal,omitempty"`
}

// AgentGone says that an agent will never come back; its tasks are TASK_LOST.
type AgentGone struct {
	Agent     cluster.AgentID `json:"agent"`
	Principal string          `json:"principal,omitempty"`
}

// PutFramework subscribes a framework, or subscribes it again.
type PutFramework struct {
	Framework cluster.Framework `json:"framework"`
	Principal string            `json:"principal,omitempty"`
}

// DisconnectFramework says that a framework is away. Its tasks run on.
type DisconnectFramework struct {
	Framework cluster.FrameworkID `json:"framework"`
	Principal string              `json:"principal,omitempty"`
}

// RemoveFramework kills the tasks of a framework; it goes with the last one.
type RemoveFramework struct {
	Framework cluster.FrameworkID `json:"framework"`
	Principal string              `json:"principal,omitempty"`
}

// ExpireFramework removes a framework that was away for longer than its
// failover time-out; View.Due gives it. It is refused when the framework is
// back.
type ExpireFramework struct {
	Framework cluster.FrameworkID `json:"framework"`
	Principal string              `json:"principal,omitempty"`
}

// DrainAgent empties an agent: it gets no more tasks. At Deadline what still
// runs is killed, with a grace of at most MaxGrace; a deadline that is over, or
// 0, kills at once. On an agent that drains already it sets another deadline.
type DrainAgent struct {
	Agent     cluster.AgentID `json:"agent"`
	Deadline  cluster.Time    `json:"deadline,omitempty"`
	MaxGrace  cluster.Millis  `json:"max_grace_ms,omitempty"` // 0: each task's own grace
	MarkGone  bool            `json:"mark_gone,omitempty"`    // declare it gone once it is empty
	Principal string          `json:"principal,omitempty"`
}

// ExpireDrain kills what still runs on an agent whose drain's deadline is over;
// View.Due gives it.
type ExpireDrain struct {
	Agent     cluster.AgentID `json:"agent"`
	Principal string          `json:"principal,omitempty"`
}

// DeactivateAgent keeps an agent from getting more tasks; those it has run on.
type DeactivateAgent struct {
	Agent     cluster.AgentID `json:"agent"`
	Principal string          `json:"principal,omitempty"`
}

// ReactivateAgent undoes DeactivateAgent and DrainAgent. What is being killed
// ends all the same.
type ReactivateAgent struct {
	Agent     cluster.AgentID `json:"agent"`
	Principal string          `json:"principal,omitempty"`
}

// PutMaintenance plans when agents are away, or with a nil Window that they are
// not. Offers carry it.
type PutMaintenance struct {
	Agents    []cluster.AgentID       `json:"agents"`
	Window    *cluster.Unavailability `json:"window,omitempty"`
	Principal string                  `json:"principal,omitempty"`
}

// OperateAgent does an operator's operations on what no task of an agent holds,
// all or none. Offers that they leave no ground for are rescinded.
type OperateAgent struct {
	Agent      cluster.AgentID     `json:"agent"`
	Operations []cluster.Operation `json:"operations"`
	Principal  string              `json:"principal,omitempty"`
}

// PutQuota sets the quotas of roles, all or none.
type PutQuota struct {
	Quotas []cluster.Quota `json:"quotas"`
	// Force takes guarantees that are more than the cluster has, and limits
	// under what a role holds.
	Force     bool   `json:"force,omitempty"`
	Principal string `json:"principal,omitempty"`
}

// PutWeights sets the weights of roles, all or none.
type PutWeights struct {
	Weights   []Weight `json:"weights"`
	Principal string   `json:"principal,omitempty"`
}

// AcceptOffers launches tasks on one agent out of offers that were taken. The
// operations are done first, so that the tasks can use what they make. Each
// operation and task is checked by itself, in order; a refused task becomes an
// ended record with the reason, and the others go on.
type AcceptOffers struct {
	Framework cluster.FrameworkID `json:"framework"`
	Role      cluster.Role        `json:"role"`
	Agent     cluster.AgentID     `json:"agent"`
	Offered   cluster.Resources   `json:"offered"` // the sum of the offers, of what is not reserved
	// OfferedReserved is the sum of the offers, of what is reserved.
	OfferedReserved cluster.Reserves    `json:"offered_reserved,omitempty"`
	Operations      []cluster.Operation `json:"operations,omitempty"`
	Tasks           []cluster.TaskSpec  `json:"tasks"`
	// AllOrNone refuses all operations and tasks when any of them is refused: a gang.
	AllOrNone bool `json:"all_or_none,omitempty"`
	// Places are made by the operations: for each one a RESERVE of its Resources
	// and of the disk of its volumes, then a CREATE for each volume. They need
	// AllOrNone.
	Places    []PlaceFor `json:"places,omitempty"`
	Principal string     `json:"principal,omitempty"`
}

// UpdateTask is an agent's report on a task. Status.Agent is the agent that
// sent it, as its certificate says.
type UpdateTask struct {
	Status    cluster.TaskStatus `json:"status"`
	Principal string             `json:"principal,omitempty"`
}

// KillTask asks a task to end. On an agent that is unreachable the wish stays
// until the agent is back. A second one overrides the grace of the first.
type KillTask struct {
	Task cluster.TaskID `json:"task"`
	// Grace is the time from TERM to KILL; 0: the task's own, or cluster.DefaultKillGrace.
	Grace cluster.Millis `json:"grace_ms,omitempty"`
	// Reason is why, when it is not a wish of its framework or of a person:
	// cluster.ReasonPreempted; empty: none.
	Reason    cluster.Reason `json:"reason,omitempty"`
	Principal string         `json:"principal,omitempty"`
}

// PutService wants a service as Spec says, new or changed. A new one takes up
// the leftovers of its id.
type PutService struct {
	Spec         cluster.ServiceSpec   `json:"spec"`
	Installation *cluster.Installation `json:"installation,omitempty"`
	// Expect is the generation the caller saw, 0 for "there is none"; another
	// one refuses the command with CodeConflict. Nil: whatever there is.
	Expect *int64 `json:"expect,omitempty"`
	// Over replaces a change that is under way, which otherwise refuses the
	// command with CodeConflict.
	Over      bool   `json:"over,omitempty"`
	Principal string `json:"principal,omitempty"`
}

// RemoveService wants a service gone: it is marked, its runs are canceled, and
// the service framework kills its tasks and releases its places.
type RemoveService struct {
	Service cluster.ServiceID `json:"service"`
	// KeepData keeps its places as Leftovers.
	KeepData  bool   `json:"keep_data,omitempty"`
	Principal string `json:"principal,omitempty"`
}

// ForgetService drops a removed service that has no active task left and no
// place (unless its data is kept), with its installation and the records of its
// ended tasks and runs.
type ForgetService struct {
	Service   cluster.ServiceID `json:"service"`
	Principal string            `json:"principal,omitempty"`
}

// PutRun wants a task run once. Its end follows from its task's.
type PutRun struct {
	Spec      cluster.RunSpec `json:"spec"`
	Principal string          `json:"principal,omitempty"`
}

// CancelRun ends a run: at once when it waits, else by killing its task.
type CancelRun struct {
	Run       cluster.RunID `json:"run"`
	Principal string        `json:"principal,omitempty"`
}

// Kind implements Command.
func (RegisterAgent) Kind() string { return "agent.register" }

// Kind implements Command.
func (AgentUnreachable) Kind() string { return "agent.unreachable" }

// Kind implements Command.
func (AgentGone) Kind() string { return "agent.gone" }

// Kind implements Command.
func (PutFramework) Kind() string { return "framework.put" }

// Kind implements Command.
func (DisconnectFramework) Kind() string { return "framework.disconnect" }

// Kind implements Command.
func (RemoveFramework) Kind() string { return "framework.remove" }

// Kind implements Command.
func (AcceptOffers) Kind() string { return "offers.accept" }

// Kind implements Command.
func (UpdateTask) Kind() string { return "task.update" }

// Kind implements Command.
func (KillTask) Kind() string { return "task.kill" }

// Kind implements Command.
func (PutService) Kind() string { return "service.put" }

// Kind implements Command.
func (RemoveService) Kind() string { return "service.remove" }

// Kind implements Command.
func (ForgetService) Kind() string { return "service.forget" }

// Kind implements Command.
func (PutRun) Kind() string { return "run.put" }

// Kind implements Command.
func (CancelRun) Kind() string { return "run.cancel" }

// Kind implements Command.
func (ExpireFramework) Kind() string { return "framework.expire" }

// Kind implements Command.
func (DrainAgent) Kind() string { return "agent.drain" }

// Kind implements Command.
func (ExpireDrain) Kind() string { return "agent.drain_expire" }

// Kind implements Command.
func (DeactivateAgent) Kind() string { return "agent.deactivate" }

// Kind implements Command.
func (ReactivateAgent) Kind() string { return "agent.reactivate" }

// Kind implements Command.
func (PutMaintenance) Kind() string { return "maintenance.put" }

// Kind implements Command.
func (OperateAgent) Kind() string { return "agent.operate" }

// Kind implements Command.
func (PutQuota) Kind() string { return "quota.put" }

// Kind implements Command.
func (PutWeights) Kind() string { return "weights.put" }

func (c RegisterAgent) principal() string       { return c.Principal }
func (c AgentUnreachable) principal() string    { return c.Principal }
func (c AgentGone) principal() string           { return c.Principal }
func (c PutFramework) principal() string        { return c.Principal }
func (c DisconnectFramework) principal() string { return c.Principal }
func (c RemoveFramework) principal() string     { return c.Principal }
func (c AcceptOffers) principal() string        { return c.Principal }
func (c UpdateTask) principal() string          { return c.Principal }
func (c KillTask) principal() string            { return c.Principal }
func (c PutService) principal() string          { return c.Principal }
func (c RemoveService) principal() string       { return c.Principal }
func (c ForgetService) principal() string       { return c.Principal }
func (c PutRun) principal() string              { return c.Principal }
func (c CancelRun) principal() string           { return c.Principal }
func (c ExpireFramework) principal() string     { return c.Principal }
func (c DrainAgent) principal() string          { return c.Principal }
func (c ExpireDrain) principal() string         { return c.Principal }
func (c DeactivateAgent) principal() string     { return c.Principal }
func (c ReactivateAgent) principal() string     { return c.Principal }
func (c PutMaintenance) principal() string      { return c.Principal }
func (c OperateAgent) principal() string        { return c.Principal }
func (c PutQuota) principal() string            { return c.Principal }
func (c PutWeights) principal() string          { return c.Principal }
