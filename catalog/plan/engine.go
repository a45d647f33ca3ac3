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

// Keeper is an Engine whose services can change: it keeps what they were bound
// to and what they were before. Without it a plan can only install and uninstall.
type Keeper interface {
	Engine
	// Record gives all of one service. An unknown id is problem.NotFound.
	Record(ctx context.Context, id cluster.ServiceID) (Record, error)
	// Change puts a service, new or changed, in one step. When the generation is
	// not c.Expect, or a change is under way that this one cannot follow, it is
	// problem.Conflict.
	Change(ctx context.Context, c Change) error
	// RemoveService is Remove, and leaves the volumes when keepData is set.
	RemoveService(ctx context.Context, principal string, id cluster.ServiceID, keepData bool) error
}

// Record is what a Keeper knows of a service.
type Record struct {
	Generation int64
	Service    cluster.ServiceSpec // as it is wanted now
	// History is what the service was before, oldest first.
	History []Past
	// Barrier is the last step that closed the way back; nil: none did.
	Barrier *Barrier
	// Busy says in words which change or plan is under way, so that another one
	// cannot begin; empty: none.
	Busy string
}

// Past is what a service was at a generation.
type Past struct {
	Generation   int64
	Installation cluster.Installation
	Bindings     map[string]cluster.ServiceID
	Service      cluster.ServiceSpec
	Settled      bool // it was brought up completely
}

// Barrier is a step with NoReturn that was done: what the service was before
// Generation, or at a version older than Version, cannot come back.
type Barrier struct {
	Generation int64  // of the service when the step was done
	Version    string // of its package then
	Step       string // "finalize/features"
}

// Change is what a Keeper puts.
type Change struct {
	Installation cluster.Installation
	Bindings     map[string]cluster.ServiceID
	Service      cluster.ServiceSpec
	Expect       int64 // the generation that the plan saw; 0: there is none
	// Over gives up a change that is under way.
	Over bool
	// From is the generation that a rollback brings back; 0: it is no rollback. It
	// can begin while a change is under way.
	From int64
}

// View is the state of a cluster that planning looks at.
type View struct {
	// Revision rises with every change of the cluster's log.
	Revision      int64
	Installations []Installed // by id
	Agents        []Node      // by id
	Leftovers     []Leftover  // by id

	bound bool // installations carry their bindings: the engine is a Keeper
}

// Leftover is the volumes that a service left when it was uninstalled. The next
// service of its id takes them up.
type Leftover struct {
	ID        cluster.ServiceID
	Package   string // what wrote them
	Version   string
	Instances int   // that have a place
	Bytes     int64 // of all volumes
}

// Installed is an installation and whether it is on its way out.
type Installed struct {
	cluster.Installation
	Removing bool
	// Bindings says which service met each requirement, by alias. A Keeper has
	// them; of another engine they are guessed.
	Bindings map[string]cluster.ServiceID
}

// Node is an agent and what is neither used nor promised of it.
type Node struct {
	Agent cluster.Agent
	State cluster.AgentState
	Free  cluster.Resources
}

// Kind is what a plan is for.
type Kind string

// The kinds. A request for an upgrade whose version is older is a downgrade, and
// the other way about.
const (
	KindInstall   Kind = "install"
	KindUpgrade   Kind = "upgrade"
	KindDowngrade Kind = "downgrade"
	KindConfigure Kind = "configure" // the same release, other options or bindings
	KindRollback  Kind = "rollback"  // as it was at a generation
	KindUninstall Kind = "uninstall"
)

// Request asks for a plan.
type Request struct {
	// Kind is what is asked for; empty: KindInstall. All others are about the
	// installation ServiceID.
	Kind Kind `json:"kind,omitempty"`
	// Package is what to install; else it may be empty.
	Package string `json:"package"`
	// Version is a constraint on the version ("4.3.0", "^4"); empty: the newest
	// release. Not for configure, rollback and uninstall.
	Version string `json:"version,omitempty"`
	// ServiceID is the id of the installation; empty: the option service.name,
	// else the package's name.
	ServiceID cluster.ServiceID `json:"service_id,omitempty"`
	// Options are the options that differ from the defaults, a JSON object. For a
	// change they are merged into the options as they are (RFC 7386): null takes an
	// option back to its default.
	Options json.RawMessage `json:"options,omitempty"`
	// Bind says which installation meets a requirement of the package, by the
	// requirement's alias; an empty id leaves an optional requirement unmet.
	Bind map[string]cluster.ServiceID `json:"bind,omitempty"`
	// Generation is where a rollback goes to; 0: the latest that was brought up
	// completely and differs.
	Generation int64 `json:"generation,omitempty"`
	// KeepData leaves the volumes at an uninstallation. Force uninstalls although
	// others need the service, and changes it although a change is under way.
	KeepData bool `json:"keep_data,omitempty"`
	Force    bool `json:"force,omitempty"`
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
