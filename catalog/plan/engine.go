package plan

import (
	"context"
	"encoding/json"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Engine runs what plans decide. Its methods may be called by several
// goroutines; the principal is who asked, for the log.
type Engine interface {
	// View gives what runs and what is free, all of one moment.
	View(ctx context.Context) (View, error)
	// ApplyInstallation records the installation and its service in one step.
	// A service id that is taken is problem.Exists.
	ApplyInstallation(ctx context.Context, inst cluster.Installation, service cluster.ServiceSpec) error
	// Remove ends the service and, when its tasks are gone, forgets the
	// installation. It returns when that is decided, not when it is done. An
	// unknown id is problem.NotFound.
	Remove(ctx context.Context, principal string, id cluster.ServiceID) error
	// Run starts a task of an installation that runs once. spec.ID is set.
	Run(ctx context.Context, principal string, spec cluster.RunSpec) error
}

// View is the state of a cluster that planning looks at.
type View struct {
	// Revision rises with every change of the cluster's log.
	Revision      int64
	Installations []Installed // by id
	Agents        []Node      // by id
}

// Installed is an installation and whether it is on its way out.
type Installed struct {
	cluster.Installation
	Removing bool
}

// Node is an agent and what is neither used nor promised of it.
type Node struct {
	Agent cluster.Agent
	State cluster.AgentState
	Free  cluster.Resources
}

// Request asks for an installation.
type Request struct {
	Package string `json:"package"`
	// Version is a constraint on the version ("4.3.0", "^4"); empty: the newest
	// release.
	Version string `json:"version,omitempty"`
	// ServiceID is the id of the installation; empty: the option service.name,
	// else the package's name.
	ServiceID cluster.ServiceID `json:"service_id,omitempty"`
	// Options are the options that differ from the defaults, a JSON object.
	Options json.RawMessage `json:"options,omitempty"`
	// Bind says which installation meets a requirement of the package, by the
	// requirement's alias.
	Bind map[string]cluster.ServiceID `json:"bind,omitempty"`
}

// find gives the installation of an id.
func (v View) find(id cluster.ServiceID) *Installed {
	for i := range v.Installations {
		if v.Installations[i].ID == id {
			return &v.Installations[i]
		}
	}
	return nil
}
