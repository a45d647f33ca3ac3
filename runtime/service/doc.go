// Package service runs long-running services as a framework on the offer API.
// It is pure and keeps nothing between two calls: what to do follows from the
// core's View alone, so a master that restarts goes on where it was.
//
//	result := service.Step(now, view, offers)
//
// An instance of a pod is a group of tasks that live on one agent together. The
// group is launched as one and ends as one: when a task of it ends that was to
// run, the rest is killed and the instance is launched again, after a backoff
// that doubles with each failure in a row.
//
// Tasks of a pod that come after others (TaskTemplate.After) are launched when
// those have ended well: what is to end comes first, what is to run for ever last.
// A ONCE task that ended well never runs again for its instance, and for one with
// volumes never again on the same ones.
//
// # Places
//
// An instance of a pod with volumes has a place: an agent, its ports, and what is
// reserved there for it alone, with its volumes. It is made before the first
// launch, for all instances of the pod, so that each of them knows the hosts and
// ports of all. From then on the instance is launched there only. Where a later
// spec needs more than the place has, the rest is taken out of what the agent has
// left, and an instance for which there is too little is not ended. A place is
// given up when a person, or the Recovery of the pod, wants another one
// (core.RestartInstance), and with the service, unless its data is kept. Recovery
// replaces one instance of a pod at a time, while all others are ready.
//
// # Plans
//
// A new spec is brought up by a plan: deploy from nothing, update from the spec of
// before. What the plan has done, and what people said to it, is in the core's
// PlanRecord; which of it is due follows from the View. Phases follow each other.
// In a serial phase an instance is launched, or ended to be replaced, after the
// one before it is ready and its gate is open; who leads its peers is replaced
// last. A canary phase waits for a person's word after its first instance. Steps
// and gates are runs; each has an id that follows from the start of its plan, and
// one that ended well is not run again. One that failed is tried again, after a
// wait that grows.
//
// An instance that was never ready under the present spec is launched, and one of
// an older spec is replaced, only when all phases before are complete. One that
// runs as it was before an update, and is lost before its turn has come, is
// launched as it was. An instance that was ready and is lost is launched again at
// once, whatever the plan is at. A change that is through is settled
// (core.SettleService); one that is not when its deadline is over goes back by
// itself, where that is wanted and the way is open. Without an update of its own,
// a service is updated one instance at a time, or as many as leave MinReady ready
// where a pod says how many; new instances come at once where deploy brings them so.
//
// Plans of their own wait for the change, and for each other.
//
// # Launches
//
// A replacement by a new spec ends the old instance first. An instance without a
// place whose agent is unreachable is launched elsewhere if there is room, and only
// then is the old one told to end; if the agent is back before, nothing has happened.
//
// The instances of a pod are spread: first over the zones (fault domains) of the
// agents, then over agents. Where there is no room for that they come as close
// as they must, unless the pod is unique. Placement rules (cluster.Constraint)
// are kept always: an instance waits rather than break one. They count whatever
// of the pod may still run, also what is being ended, and are looked at when an
// instance is launched: what runs stays where it is when the rules change.
// GROUP_BY has for its groups the values of the agents that get tasks and
// satisfy the other rules; none may be more than one instance ahead of the emptiest.
//
// A gang (PodSpec.Gang) is decided as one: all of its instances that are wanted
// get a place in one step, or none does, and none is launched while another one
// is held back or still ends. An acceptance that the core refuses all the same,
// because the agent was lost meanwhile, is made up for alone.
//
// Services are served by priority. An instance that has room nowhere, and will
// not have it when what is being ended has ended, takes the place of instances
// of services with a lower priority that are preemptible; MinReady does not
// protect those. What it waits for is kept from all who come after it.
//
// An agent that is to be empty soon (core.DrainAgent) loses its instances one at
// a time, each when all others of its pod are ready and there is room elsewhere
// (those with a place stay away until the agent is back);
// of a pod with a MinReady, as many at once as leave so many ready. An update
// leaves so many ready, too. Only the drain's deadline does not ask.
// A launch that its agent does not confirm within LaunchTimeout is given up.
//
// The tasks of an instance are a group (cluster.TaskSpec.Group) when there are
// more than one, or when the pod has a network of its own.
//
// When a pod instance moves, the instances that were given its address at their
// launch are replaced, in the order of their phase: no task is left with a
// stale address. So are those that were given the endpoint or an export of another
// service, when its value is another one; as long as any part of it is not known,
// what runs goes on and what is to be launched waits.
package service
