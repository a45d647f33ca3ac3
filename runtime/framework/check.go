package framework

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Check says what is wrong with a subscription in itself: an error of class
// problem.Invalid.
func (s Subscribe) Check() error {
	f := s.Framework
	switch {
	case f.Name == "" || len(f.Name) > MaxName:
		return invalid("a framework's name has 1 to %d bytes, not %d", MaxName, len(f.Name))
	case strings.ContainsFunc(f.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return invalid("the framework's name %q holds control characters", f.Name)
	}
	return nil
}

// Check says what is wrong with calls in themselves, whatever the state: an
// error of class problem.Invalid, problem.Forbidden for fields that are not a
// framework's to set, or problem.TooLarge.
func (c Calls) Check() error {
	switch {
	case c.Session == "":
		return invalid("the calls name no session")
	case len(c.Calls) == 0:
		return invalid("there is no call")
	case len(c.Calls) > MaxCalls:
		return problem.New(problem.TooLarge, "%d calls in one request, over the limit of %d", len(c.Calls), MaxCalls)
	}
	for i := range c.Calls {
		if err := c.Calls[i].check(); err != nil {
			return fmt.Errorf("calls[%d]: %w", i, err)
		}
	}
	return nil
}

func (c Call) check() error {
	n := 0
	var err error
	for _, kind := range []struct {
		set   bool
		check func() error
	}{
		{c.Accept != nil, func() error { return c.Accept.check() }},
		{c.Decline != nil, func() error { return checkOffers(c.Decline.Offers, c.Decline.RefuseFor) }},
		{c.Revive != nil, func() error { return c.Revive.check() }},
		{c.Suppress != nil, func() error { return c.Suppress.check() }},
		{c.Kill != nil, func() error { return c.Kill.check() }},
		{c.Acknowledge != nil, func() error { return c.Acknowledge.check() }},
		{c.Reconcile != nil, func() error { return c.Reconcile.check() }},
		{c.Teardown != nil, func() error { return nil }},
	} {
		if kind.set {
			n++
			err = kind.check()
		}
	}
	if n != 1 {
		return invalid("a call has exactly one of accept, decline, revive, suppress, kill, acknowledge, reconcile and teardown, not %d", n)
	}
	return err
}

func (a *Accept) check() error {
	if err := checkOffers(a.Offers, a.RefuseFor); err != nil {
		return err
	}
	switch {
	case len(a.Tasks) > MaxTasks:
		return problem.New(problem.TooLarge, "%d tasks in one accept, over the limit of %d", len(a.Tasks), MaxTasks)
	case len(a.Operations) > MaxOperations:
		return problem.New(problem.TooLarge, "%d operations in one accept, over the limit of %d", len(a.Operations), MaxOperations)
	}
	ids := make(map[cluster.TaskID]bool, len(a.Tasks))
	for i := range a.Tasks {
		t := &a.Tasks[i]
		switch {
		case t.ID == "":
			return invalid("task %d of the accept has no id", i)
		case ids[t.ID]:
			return invalid("task id %q is there twice", t.ID)
		case t.Service != "" || t.Run != "" || t.Pod != "" || t.Index != 0 || t.Generation != 0:
			return problem.New(problem.Forbidden, "task %q: service, run, pod, index and generation are not a framework's to set", t.ID)
		}
		ids[t.ID] = true
	}
	return nil
}

func checkOffers(ids []cluster.OfferID, refuse *cluster.Millis) error {
	switch {
	case len(ids) == 0:
		return invalid("no offer is named")
	case len(ids) > MaxBatch:
		return problem.New(problem.TooLarge, "%d offers in one call, over the limit of %d", len(ids), MaxBatch)
	case refuse != nil && *refuse < 0:
		return invalid("refusing for %d ms", *refuse)
	}
	return nil
}

func (r *Roles) check() error {
	if len(r.Roles) > cluster.MaxRoles {
		return invalid("%d roles in one call, over the limit of %d", len(r.Roles), cluster.MaxRoles)
	}
	return nil
}

func (k *Kill) check() error {
	if k.Task == "" || k.Grace < 0 {
		return invalid("killing task %q with a grace of %d ms", k.Task, k.Grace)
	}
	return nil
}

func (a *Acknowledge) check() error {
	if a.Task == "" || a.UUID == "" {
		return invalid("acknowledging uuid %q of task %q: both must be there", a.UUID, a.Task)
	}
	return nil
}

func (r *Reconcile) check() error {
	if len(r.Tasks) > MaxReconcile {
		return problem.New(problem.TooLarge, "reconciling %d tasks, over the limit of %d", len(r.Tasks), MaxReconcile)
	}
	return nil
}

func invalid(format string, args ...any) error { return problem.New(problem.Invalid, format, args...) }
