// Package cluster is the vocabulary of the runtime: the nouns of Mesos (agent,
// offer, task, framework, role), the specs of services, and the one function,
// Fits, that decides whether a need fits into what is there. It imports the
// standard library only and does no I/O; everybody may import it.
//
// Quantities are integers: CPU in thousandths of a core, memory and disk in
// bytes, time in milliseconds since the Unix epoch. Mesos compares its scalars
// at three decimals for the same reason: floating dust must not decide whether
// a task fits.
//
// Resources are amounts; a Pool is resources of which some are reserved for
// roles (Reserves, by their Stack of reservations). Operations change how they
// are bound, and never how much there is. What comes from outside is checked by
// the Validate methods against named bounds, and refused with the place.
//
// All types are plain values with JSON tags, since they travel in the command
// log, between master and agent, and through the native API.
package cluster

// Time is milliseconds since the Unix epoch (UTC). It is passed in: nothing in
// the pure packages reads a clock.
type Time int64

// Millis is a duration in milliseconds.
type Millis int64

// Add is t moved by d.
func (t Time) Add(d Millis) Time { return t + Time(d) }

// Sub is the time from o to t.
func (t Time) Sub(o Time) Millis { return Millis(t - o) }

// Identifiers are minted outside the core (or from the log index) and never reused.
type (
	// AgentID names an agent: "a1"; [a-z0-9-], at most 63 bytes.
	AgentID string
	// FrameworkID names a framework: "services", "jobs" for the built-in ones.
	FrameworkID string
	// OfferID names an outstanding offer, for one master's lifetime.
	OfferID string
	// TaskID names one launch of one task: "<service>.<pod>-<index>.<task>.<suffix>",
	// unique across agents and time. [a-z0-9.-], at most 200 bytes.
	TaskID string
	// ServiceID names a service: an installation's id, [a-z][a-z0-9-]{0,62}.
	ServiceID string
	// RunID names one run of an action.
	RunID string
	// Role is a path of names divided by "/" that shares are counted by; "*" is the default.
	Role string
)

// DefaultRole is the role of whoever names none.
const DefaultRole Role = "*"
