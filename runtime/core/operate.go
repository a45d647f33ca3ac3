package core

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// MaxOperations bounds the operations of one command.
const MaxOperations = 1000

// allowedOperation says why a framework may not do an operation with an offer
// under a role: the offer's role and its own principal bound it (Mesos
// reservation.md).
func allowedOperation(f *Framework, role cluster.Role, o cluster.Operation) error {
	if err := o.Validate(); err != nil {
		return err
	}
	last, from := o.Stack[len(o.Stack)-1], o.Stack
	switch o.Kind {
	case cluster.OpReserve:
		from = o.Stack[:len(o.Stack)-1]
		if last.Role != role && !cluster.Below(last.Role, role) {
			return fmt.Errorf("role %q is neither the offer's, %q, nor below it", last.Role, role)
		}
		if last.Principal != f.Info.Principal {
			return fmt.Errorf("principal %q of the reservation is not the framework's, %q", last.Principal, f.Info.Principal)
		}
	case cluster.OpCreate:
		if o.Volume.Principal != f.Info.Principal {
			return fmt.Errorf("principal %q of the volume is not the framework's, %q", o.Volume.Principal, f.Info.Principal)
		}
	}
	if !from.For(role) {
		return fmt.Errorf("what is reserved for %q is not for role %q", from, role)
	}
	return nil
}

// bind gives the reservations of an agent after an operation. It is an error
// when the agent, as a whole, has no room for it.
func bind(total cluster.Resources, all cluster.Reserves, o cluster.Operation) (cluster.Reserves, error) {
	if o.Kind == cluster.OpCreate {
		volumes := 0
		for _, r := range all {
			volumes += len(r.Volumes)
			for _, v := range r.Volumes {
				if v.ID == o.Volume.ID && r.Stack.Role() == o.Stack.Role() {
					return nil, fmt.Errorf("volume %q of role %q is there already", v.ID, o.Stack.Role())
				}
			}
		}
		if volumes >= cluster.MaxVolumes {
			return nil, fmt.Errorf("the agent has its %d volumes", cluster.MaxVolumes)
		}
	}
	p, err := (cluster.Pool{Open: total.Minus(all.Flat()), Reserved: all}).Do(o)
	if err == nil && len(p.Reserved) > cluster.MaxReserved {
		err = fmt.Errorf("the agent has its %d different reservations", cluster.MaxReserved)
	}
	return p.Reserved, err
}

// desk is where the operations and tasks of one command are tried before any is
// done: what the agent has and what is left of it.
type desk struct {
	total  cluster.Resources
	all    cluster.Reserves     // of the agent
	doomed []cluster.VolumeName // of the agent, and those that operations before destroy
	free   cluster.Pool         // of the agent
	left   cluster.Pool         // of the offers
	keep   keeping              // of the agent
}

func (s *State) newDesk(a *Agent, offered cluster.Pool) desk {
	return desk{total: a.Info.Total, all: a.Reserved, doomed: slices.Clip(a.Doomed), free: a.FreePool(), left: offered, keep: s.v.keeping(a.Info.ID)}
}

// operate does one operation on the desk, or leaves it as it is.
func (d *desk) operate(o cluster.Operation) error {
	if o.Kind == cluster.OpCreate && slices.Contains(d.doomed, nameOf(o)) {
		return fmt.Errorf("a volume %q of role %q was destroyed, and the agent has not registered since: take another id", o.Volume.ID, o.Stack.Role())
	}
	all, err := bind(d.total, d.all, o)
	if err != nil {
		return err
	}
	if short := (cluster.Pool{Reserved: all}).Missing(cluster.Pool{Reserved: d.keep.all}); short != nil {
		return fmt.Errorf("it takes from the place of a service, or from what tasks hold (%s); release the place first", short[0])
	}
	left, err := d.left.Do(o)
	if err != nil {
		return fmt.Errorf("out of the offer: %w", err)
	}
	free, err := d.free.Do(o)
	if err != nil {
		return fmt.Errorf("out of what the agent has left: %w", err)
	}
	d.all, d.left, d.free = all, left, free
	if o.Kind == cluster.OpDestroy {
		d.doomed = append(d.doomed, nameOf(o))
	}
	return nil
}

// nameOf is the name of an operation's volume.
func nameOf(o cluster.Operation) cluster.VolumeName {
	return cluster.VolumeName{Role: o.Stack.Role(), ID: o.Volume.ID}
}

// operateAgent does an operator's operations, all or none, with what no task holds.
func (s *State) operateAgent(c OperateAgent) {
	old := s.held(c.Agent)
	if old == nil {
		return
	}
	where := Event{Agent: c.Agent}
	if len(c.Operations) == 0 || len(c.Operations) > MaxOperations {
		s.refuse(CodeInvalid, where, "%d operations, it must be 1 to %d", len(c.Operations), MaxOperations)
		return
	}
	d := s.newDesk(old, old.unheld())
	d.free = d.left
	for i, o := range c.Operations {
		if err := o.Validate(); err != nil {
			s.refuse(CodeInvalid, where, "operation %d, %s: %v", i+1, bounded(string(o.Kind), maxName), err)
			return
		}
		if err := d.operate(o); err != nil {
			s.refuse(CodeConflict, where, "operation %d, %s: %v", i+1, o.Kind, err)
			return
		}
	}
	s.bound(old, d.all)
	for _, o := range c.Operations {
		s.operated(c.Agent, "", o)
	}
}

// bound stores an agent's reservations.
func (s *State) bound(old *Agent, all cluster.Reserves) {
	a := *old
	a.Reserved = all
	s.putAgent(old, &a)
}

// operated tells of an operation that was done.
func (s *State) operated(agent cluster.AgentID, f cluster.FrameworkID, o cluster.Operation) {
	e := Event{Kind: EventOperationDone, Agent: agent, Framework: f, Operation: o.ID, State: string(o.Kind), Message: "for role " + string(o.Stack.Role())}
	if o.Volume != nil {
		e.Message = "volume " + o.Volume.ID + " of role " + string(o.Stack.Role())
	}
	s.emit(e)
	if o.Kind == cluster.OpDestroy {
		s.doom(agent, nameOf(o))
		s.order(Effect{Agent: agent, Order: cluster.Order{Kind: cluster.OrderDestroy, Role: o.Stack.Role(), Volume: o.Volume.ID}})
	}
}

// doom remembers that an agent is to destroy a volume.
func (s *State) doom(agent cluster.AgentID, v cluster.VolumeName) {
	old := s.v.Agent(agent)
	if slices.Contains(old.Doomed, v) {
		return
	}
	a := *old
	keep := old.Doomed
	if len(keep) >= MaxDoomed {
		keep = keep[len(keep)-MaxDoomed+1:]
	}
	a.Doomed = append(slices.Clone(keep), v)
	s.putAgent(old, &a)
}

// rebase gives the reservations of an agent that registers. When it does so
// with other static ones than before, what operations made out of the old, and
// what tasks hold, must still be there.
func rebase(old *Agent, now cluster.Agent) (cluster.Reserves, error) {
	if old == nil {
		return now.Reserved, nil
	}
	if old.Info.Reserved.Equal(now.Reserved) {
		return old.Reserved, nil
	}
	var plain cluster.Reserves // of the static reservations, what no operation touched
	for _, r := range old.Reserved {
		if len(r.Stack) == 1 && r.Stack[0].Static {
			plain = plain.Plus(cluster.NewReserves(cluster.Reserved{Stack: r.Stack, Resources: r.Resources}))
		}
	}
	made := old.Info.Reserved.Minus(plain)
	if short := (cluster.Pool{Reserved: now.Reserved}).Missing(cluster.Pool{Reserved: made}); short != nil {
		return nil, fmt.Errorf("its static reservations are smaller than what was made of them: %s", short[0])
	}
	out := now.Reserved.Minus(made).Plus(old.Reserved.Minus(plain))
	if short := (cluster.Pool{Reserved: out}).Missing(cluster.Pool{Reserved: old.Held}); short != nil {
		return nil, fmt.Errorf("its static reservations lack what its tasks hold: %s", short[0])
	}
	return out, nil
}
