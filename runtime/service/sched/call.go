package sched

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// Call is what a framework asks of the master.
type Call interface{ call() }

// Accept uses offers of one agent and one role to launch tasks, or to make
// places. What they do not use goes back.
type Accept struct {
	Offers []cluster.OfferID
	Tasks  []cluster.TaskSpec
	// Places are made by Operations, all or none: what core.AcceptOffers has.
	Operations []cluster.Operation
	Places     []core.PlaceFor
}

// Decline gives an offer back; the agent is not offered again to this framework
// for RefuseFor unless it has more to give.
type Decline struct {
	Offer     cluster.OfferID
	RefuseFor cluster.Millis
}

// Kill ends a task: TERM, then KILL after Grace; 0 is the task's own.
type Kill struct {
	Task  cluster.TaskID
	Grace cluster.Millis
	// Reason is cluster.ReasonPreempted when the task gives its place to another
	// service; empty: nobody but its own service wants it to end.
	Reason cluster.Reason
}

// Forget drops a removed service none of whose tasks is active.
type Forget struct{ Service cluster.ServiceID }

// Cancel ends a run that can never start.
type Cancel struct{ Run cluster.RunID }

// Release gives up the places of instances of a service, with their data
// (core.ReleasePlaces).
type Release struct {
	Service   cluster.ServiceID
	Instances []string // core.InstanceKey
}

// Replace wants another place for an instance whose agent is lost: what
// core.RestartInstance does with its Replace.
type Replace struct {
	Service cluster.ServiceID
	Pod     string
	Index   int
}

// Settle says that a generation of a service is brought up (core.SettleService).
type Settle struct {
	Service    cluster.ServiceID
	Generation int64
}

// Run wants a step or a gate of a plan run (core.PutRun). Its id is the same
// whenever the same run is asked for: asked for twice, it is one.
type Run struct{ Spec cluster.RunSpec }

// Rollback brings the spec of Generation back (core.RollbackService), unless the
// service is not at Expect any more.
type Rollback struct {
	Service    cluster.ServiceID
	Generation int64
	Expect     int64
}

func (Accept) call()   {}
func (Decline) call()  {}
func (Kill) call()     {}
func (Forget) call()   {}
func (Cancel) call()   {}
func (Release) call()  {}
func (Replace) call()  {}
func (Settle) call()   {}
func (Run) call()      {}
func (Rollback) call() {}

const (
	// RefuseIdle is for how long an offer is refused when nothing wants it.
	RefuseIdle cluster.Millis = 60_000
	// RefuseShort is for how long an offer is refused that is wanted but does
	// not fit, as Mesos' default filter.
	RefuseShort cluster.Millis = 5_000
	// GiveBack is how long before its deadline an offer is given back at the
	// latest that is kept for a gang: with the allocator's default it is kept for
	// a quarter of a minute.
	GiveBack cluster.Millis = 45_000
)

// Result is what a framework's step asks for.
type Result struct {
	Calls  []Call         // in the order in which they are to be made
	Wake   cluster.Time   // step again no later than this; 0: only when something changes
	Wanted []cluster.Role // the roles for which offers are wanted, sorted; the others may be suppressed
	// Demand is a digest of what is wanted and found no place; 0: nothing. When
	// it changes, offers that were declined before are worth another look.
	Demand uint64
}

// Want notes that name, which is to run under role, found no place.
func (r *Result) Want(role cluster.Role, name string) {
	if i, found := slices.BinarySearch(r.Wanted, role); !found {
		r.Wanted = slices.Insert(r.Wanted, i, role)
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", r.Demand, name)
	r.Demand = max(1, h.Sum64())
}
