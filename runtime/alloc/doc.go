// Package alloc decides who is offered what: the hierarchical allocator of
// Mesos, as a pure value. It is soft state: nothing of it is in the log, and a
// master that starts makes a new one and offers anew.
//
// Who is next follows from dominant resource fairness (Ghodsi et al., NSDI
// 2011) over the tree of roles. The share of a node is the largest part, over
// cpus, memory, disk and gpus, that all below it hold or are being offered of the
// whole cluster, divided by its weight. At each level the child with the
// smallest share comes first; among equals the one that got fewer offers, then
// the one whose path sorts first. A role that has both frameworks and roles
// below it competes with the latter through a virtual leaf of its own. The
// frameworks of a role share it equally. Shares are integers.
//
// Cycle goes through the agents in a seeded random order. All that is free on
// an agent goes to the first framework, in the order of shares, that wants
// offers (Suppress, Revive) and has not refused this much on this agent
// (Decline). What is reserved goes only to its role and those below; what is
// left of the agent then goes to the next framework. An offer counts towards the
// share at once and lives until its deadline.
//
// Where roles have quotas, a first pass serves those that are owed a guarantee,
// and the second keeps back what is still owed, so that no guarantee can be
// taken by somebody else; offers are cut to a role's limit.
//
// An offer that expires is a refusal of what it held, for an offer's time-out.
// A framework that lets later offers expire too gets none at all for twice that
// time, then four times, and so on up to MaxSilence doublings, until it calls
// (Heard): one silent framework cannot starve the others.
//
// Mesos pauses its allocator after a failover, as long as quotas are set, until
// most agents are back: it learns what tasks hold only from them. There is no
// pause here. What tasks hold is in the log, so that usage, shares and what is
// owed are exact in the first cycle. What the log cannot say is which agents
// still live: until the master's time-out for silence is over, the headroom
// counts what is free on an agent that may not come back, and others may be
// offered what would have been kept for a guarantee. That is the same for the
// same time when a machine dies without a failover, and a pause would only stop
// those who wait for offers of agents that are back. The allocator therefore
// need not know which agents have a session; a master that does not want offers
// of an agent without one declines them (Decline), and says so when the agent is
// declared unreachable through the view.
//
// It differs from Mesos in some more: shares count cpus, memory, disk and gpus
// and no other named scalars; there is no random sorter; frameworks have no
// capabilities, so that agents with GPUs are offered to all; and what a task
// releases is offered in the next cycle (Mesos waits for its interval).
//
// A cycle looks only at agents on which something changed for somebody: the
// caller runs one after each change, and what a task releases is offered at
// once. Why explains why somebody waits.
//
// Invariant: on each agent, what is allocated and what is offered together fit
// into what it has, reservation by reservation.
package alloc
