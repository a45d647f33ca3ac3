package cluster

// Agent describes a node, as it says of itself when it registers.
type Agent struct {
	ID         AgentID           `json:"id"`
	Hostname   string            `json:"hostname"`             // a name for people
	Host       string            `json:"host"`                 // address at which its tasks' ports are reached
	URL        string            `json:"url"`                  // base of the agent's own API, for logs and checks
	Total      Resources         `json:"total"`                // all it can give to tasks
	Attributes map[string]string `json:"attributes,omitempty"` // "rack": "r1"
	Version    string            `json:"version,omitempty"`    // of the agent program
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
	Resources Resources   `json:"resources"`
	Deadline  Time        `json:"deadline"`
}

// Framework is somebody who gets offers and launches tasks.
type Framework struct {
	ID              FrameworkID `json:"id"`
	Name            string      `json:"name"`
	Principal       string      `json:"principal,omitempty"`
	Roles           []Role      `json:"roles"`            // at least one
	FailoverTimeout Millis      `json:"failover_timeout"` // how long its tasks live after it disconnected
}
