// Package core is the state of the cluster as a pure state machine:
//
//	events, effects := state.Apply(at, command)
//
// A Command is what happened or what is wanted; commands are encoded (Encode),
// appended to the log and applied, in this order. Replaying the log gives the
// same state, bit for bit (Hash). A command that does not suit the state is
// refused inside Apply: that yields an event of kind EventRefused and never an
// error, so the log always goes on.
//
// An Event is what watchers and the audit log see. An Effect is an order for an
// agent; it is not logged, since it follows from the state (View.Pending) and
// since agents register again after every break, which derives it anew.
//
// A registration says which tasks an agent holds, and what it does not name is
// launched again or lost. One that was made before a later one of the same
// memory (RegisterAgent.Life, Attempt) is refused: it knows nothing of what was
// launched since. Tasks of one group (cluster.TaskSpec.Group) are launched
// together in one acceptance, or none of them is.
//
// An instance with volumes has a Place: one agent's resources and volumes, made
// by the operations of an acceptance before its first launch and its own until
// ReleasePlaces, whatever becomes of its tasks, of its agent for a while, or of
// its service's spec. Nothing else takes of what places keep. What was done once
// (ONCE tasks, steps of plans) is remembered beside them (Instance.Done,
// PlanRecord.Done), since the records of ended tasks and runs are dropped.
//
// A service changes from one generation to the next: PutService starts the plan
// deploy or update, SettleService ends it, and a second change is refused
// meanwhile, unless it takes the place of the first or brings back a spec of
// before.
//
// Readers get a View: an immutable snapshot that costs a few pointers to make,
// because the tables share their chunks until one is written. A record handed
// out by a View is never changed afterwards; a change replaces it.
//
// The package reads no clock, draws no random number, starts no goroutine and
// never ranges over a Go map where the order could show. Offers are not here:
// they are soft state of package alloc. Accepting one is a command, and Apply
// checks it with cluster.Fits against what the agent has left.
package core
