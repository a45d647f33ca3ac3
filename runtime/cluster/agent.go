package cluster

// Agent describes a node, as it says of itself when it registers.
type Agent struct {
	ID         AgentID           `json:"id"`
	Hostname   string            `json:"hostname"`             // a name for people
	Host       string            `json:"host"`                 // address at which its tasks' ports are reached
	URL        string            `json:"url"`                  // base of the agent's own API, for logs and checks
	Total      Resources         `json:"total"`                // all it can give to tasks
	Attributes map[string]string `json:"attributes,omitempty"` // "rack": "r1"; text, and numbers, ranges and sets in the text form of Mesos
	Version    string            `json:"version,omitempty"`    // of the agent program
	Domain     *Domain           `json:"domain,omitempty"`     // its fault domain; nil: not known
	Reserved   Reserves          `json:"reserved,omitempty"`   // static reservations of part of Total: one layer each, no volumes
}

// Domain is a fault domain: what fails together (Mesos DomainInfo).
type Domain struct {
	Region string `json:"region"`
	Zone   string `json:"zone"`
}

// Unavailability is a planned absence of an agent: a maintenance window.
type Unavailability struct {
	Start    Time   `json:"start"`
	Duration Millis `json:"duration_ms,omitempty"` // 0: without an end
}

// AgentState is where an agent stands with the master.
type AgentState string

// The states of an agent.
const (
	AgentActive      AgentState = "active"      // in touch; gets tasks
	AgentUnreachable AgentState = "unreachable" // silent longer than the time-out; its tasks may still run
	AgentGone        AgentState = "gone"        // declared gone by an operator; never comes back
)

// Offer is a promise of resources on one agent to one framework under one role,
// until Deadline. Offers are soft: they are never in the log.
type Offer struct {
	ID        OfferID     `json:"id"`
	Agent     Agent       `json:"agent"`
	Framework FrameworkID `json:"framework"`
	Role      Role        `json:"role"`
	Resources Resources   `json:"resources"`          // not reserved
	Reserved  Reserves    `json:"reserved,omitempty"` // beside Resources: kept for the role or one above it
	Deadline  Time        `json:"deadline"`
	// Unavailability is when the agent is planned to be away; nil: nothing is planned.
	Unavailability *Unavailability `json:"unavailability,omitempty"`
}

// Pool is all that an offer holds.
func (o *Offer) Pool() Pool { return Pool{Open: o.Resources, Reserved: o.Reserved} }

// Framework is somebody who gets offers and launches tasks.
type Framework struct {
	ID              FrameworkID `json:"id"`
	Name            string      `json:"name"`
	Principal       string      `json:"principal,omitempty"`
	Roles           []Role      `json:"roles"`            // at least one
	FailoverTimeout Millis      `json:"failover_timeout"` // how long its tasks live after it disconnected
	// Minimums says, by role, what is worth an offer to it: at least one of the
	// amounts must fit into the offer; none, and any offer will do. A role that
	// is not there has the allocator's own minimum (Mesos OfferFilters).
	Minimums map[Role][]Resources `json:"minimums,omitempty"`
}

// The bounds of a Framework.
const (
	// MaxRoles is how many roles a framework can have.
	MaxRoles = 256
	// MaxMinimums is how many amounts Minimums can have for a role.
	MaxMinimums = 16
	// MaxFailoverTimeout is the longest time a framework can be away: a year.
	MaxFailoverTimeout Millis = 365 * 24 * 3600 * 1000
)
