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
// Phases order a deployment. An instance that was never ready under the present
// spec is launched, and one of an older spec is replaced, only when all phases
// before are complete; in a serial phase, one after the other. An instance that
// was ready and is lost is launched again at once, whatever the phases are at.
//
// A replacement by a new spec ends the old instance first. An instance whose
// agent is unreachable is launched elsewhere if there is room, and only then is
// the old one told to end; if the agent is back before, nothing has happened.
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
// a time, each when all others of its pod are ready and there is room elsewhere;
// of a pod with a MinReady, as many at once as leave so many ready. An update
// leaves so many ready, too. Only the drain's deadline does not ask.
// A launch that its agent does not confirm within LaunchTimeout is given up.
//
// The tasks of an instance are a group (cluster.TaskSpec.Group) when there are
// more than one, or when the pod has a network of its own.
//
// When a pod instance moves, the instances that were given its address at their
// launch are replaced, in the order of their phase: no task is left with a
// stale address.
package service
