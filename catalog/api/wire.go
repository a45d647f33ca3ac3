package api

import (
	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// InstallRequest asks to apply a plan that was looked at.
type InstallRequest struct {
	Request plan.Request `json:"request"`
	// PlanDigest is the digest of the plan that was confirmed; empty: whatever
	// the plan is now.
	PlanDigest string `json:"plan_digest,omitempty"`
}

// Installations is the list of what is installed.
type Installations struct {
	Items []plan.Installation `json:"items"`
}

// Actions is the list of what an installation can be told to do.
type Actions struct {
	Items []catalog.Action `json:"items"`
}

// ActionRequest starts an action: Words begin with its name, and what follows
// in them counts as arguments before Args.
type ActionRequest struct {
	Words []string `json:"words"`
	Args  []string `json:"args,omitempty"`
}

// Run is an action that was started. The runtime's API tells how it goes.
type Run struct {
	ID      cluster.RunID     `json:"id"`
	Service cluster.ServiceID `json:"service"`
	Name    string            `json:"name"`
}
