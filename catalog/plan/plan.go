package plan

import (
	"encoding/json"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Plan is what a request would do.
type Plan struct {
	Kind Kind `json:"kind"`
	// Digest identifies what the plan does: steps, options, services. Warnings
	// and the revision are not in it.
	Digest   string  `json:"digest"`
	Revision int64   `json:"revision"` // of the cluster, when the plan was made
	Request  Request `json:"request"`
	// Steps is in the order of installing: a package comes after what it needs.
	// Those that are kept are among them.
	Steps    []Step    `json:"steps"`
	Cost     Cost      `json:"cost"` // of all that is new; of a change, what comes to it, which can be less than nothing
	Warnings []Warning `json:"warnings,omitempty"`
	Notes    string    `json:"notes,omitempty"` // of the package asked for
}

// Action is what a step does.
type Action string

// The actions.
const (
	ActionInstall Action = "install"
	ActionKeep    Action = "keep" // it runs already and meets what is needed

	ActionUpgrade   Action = "upgrade"
	ActionDowngrade Action = "downgrade"
	ActionConfigure Action = "configure"
	ActionRollback  Action = "rollback"
	ActionUninstall Action = "uninstall"
)

// Step is one installation of a plan.
type Step struct {
	Action     Action            `json:"action"`
	ServiceID  cluster.ServiceID `json:"service_id"`
	Package    string            `json:"package"`
	Version    string            `json:"version"`
	AppVersion string            `json:"app_version,omitempty"`
	Repository string            `json:"repository,omitempty"`
	Digest     string            `json:"digest,omitempty"`   // of the artifact
	Licenses   []string          `json:"licenses,omitempty"` // SPDX
	Auto       bool              `json:"auto,omitempty"`     // not asked for: another step needs it
	Why        []Why             `json:"why,omitempty"`
	// Set for ActionInstall and, but for Changed, for changes:
	Options  json.RawMessage      `json:"options,omitempty"` // effective
	Changed  []string             `json:"changed,omitempty"` // options that differ from the default, "worker.count"
	Service  *cluster.ServiceSpec `json:"service,omitempty"` // as it would run
	Pods     []PodCost            `json:"pods,omitempty"`
	Cost     *Cost                `json:"cost,omitempty"`
	Images   []catalog.Image      `json:"images,omitempty"`
	Bindings []Binding            `json:"bindings,omitempty"`
	// Set for changes:
	From     *From          `json:"from,omitempty"`
	Settings []Setting      `json:"settings,omitempty"` // options that become something else
	Changes  []PodChange    `json:"changes,omitempty"`  // pods that change
	Rollout  []RolloutPhase `json:"rollout,omitempty"`  // what the update plan will do, in order
	// Set for ActionUninstall:
	KeepData bool     `json:"keep_data,omitempty"`
	Removal  *Removal `json:"removal,omitempty"`
}

// From is what a service was before a change.
type From struct {
	Version    string `json:"version"`
	Digest     string `json:"digest"`
	Generation int64  `json:"generation"`
	// To is the generation that a rollback brings back.
	To int64 `json:"to,omitempty"`
	// Over says that a change that is under way is given up.
	Over bool `json:"over,omitempty"`
}

// Setting is an option that becomes something else; a value that is not there
// is left out.
type Setting struct {
	Name string          `json:"name"` // "worker.count"
	From json.RawMessage `json:"from,omitempty"`
	To   json.RawMessage `json:"to,omitempty"`
}

// ChangeKind is what becomes of a pod.
type ChangeKind string

// The kinds of changes of a pod.
const (
	ChangeAdd     ChangeKind = "add"
	ChangeRemove  ChangeKind = "remove"
	ChangeRestart ChangeKind = "restart" // its instances end and start anew, on the same volumes
	ChangeScale   ChangeKind = "scale"   // only their number changes
	ChangeRules   ChangeKind = "rules"   // nothing is restarted: the next launch follows the new rules
)

// PodChange says what becomes of a pod, and why.
type PodChange struct {
	Pod     string     `json:"pod"`
	Kind    ChangeKind `json:"kind"`
	From    int        `json:"from"` // instances before
	To      int        `json:"to"`   // and after
	Reasons []Reason   `json:"reasons,omitempty"`
}

// Reason is one thing that differs.
type Reason struct {
	Task   string `json:"task,omitempty"`
	What   string `json:"what"`             // "image", "env", "count", …
	Detail string `json:"detail,omitempty"` // "2 -> 3"; of env and files the names only
}

// RolloutPhase is a phase of the plan that carries a change out.
type RolloutPhase struct {
	Name     string           `json:"name"`
	Pod      string           `json:"pod,omitempty"`
	Strategy cluster.Strategy `json:"strategy,omitempty"`
	Restarts int              `json:"restarts,omitempty"` // instances that end and start anew
	Starts   int              `json:"starts,omitempty"`   // that are new
	Ends     int              `json:"ends,omitempty"`     // that end for good
	Confirm  bool             `json:"confirm,omitempty"`
	Gate     string           `json:"gate,omitempty"`
	Steps    []cluster.Step   `json:"steps,omitempty"`
}

// Why is a reason for a step: who needs it, and in which versions.
type Why struct {
	// From is the package that needs it; empty: the request.
	From       string `json:"from,omitempty"`
	Feature    string `json:"feature,omitempty"` // of From, that needs it
	Name       string `json:"name,omitempty"`    // what is needed, when another name
	Constraint string `json:"constraint"`
}

// Binding says which installation meets a requirement.
type Binding struct {
	Alias     string            `json:"alias"`
	ServiceID cluster.ServiceID `json:"service_id"`
	Package   string            `json:"package"`
	Version   string            `json:"version"`
	New       bool              `json:"new,omitempty"` // the plan installs it
	// Others lists other installations that would do: Request.Bind takes one.
	Others []cluster.ServiceID `json:"others,omitempty"`
}

// Cost is an amount of resources. Ports are counted.
type Cost struct {
	CPU   int64 `json:"cpu_milli"`
	Mem   int64 `json:"mem_bytes"`
	Disk  int64 `json:"disk_bytes"`
	Ports int   `json:"ports"`
	Tasks int   `json:"tasks"`
}

// plus is c and n times o.
func (c Cost) plus(o Cost, n int) Cost {
	return Cost{c.CPU + int64(n)*o.CPU, c.Mem + int64(n)*o.Mem, c.Disk + int64(n)*o.Disk, c.Ports + n*o.Ports, c.Tasks + n*o.Tasks}
}

// PodCost is what one instance of a pod takes, and how many there are.
type PodCost struct {
	Pod   string `json:"pod"`
	Count int    `json:"count"`
	Each  Cost   `json:"each"`
}

// WarningCode is a word for a kind of warning.
type WarningCode string

// The kinds of warnings.
const (
	WarnResources WarningCode = "resources" // some instances would wait: nowhere is enough free
	WarnRoot      WarningCode = "root"      // a task runs as root
	WarnRemoving  WarningCode = "removing"  // a kept installation is on its way out
	WarnDowngrade WarningCode = "downgrade" // an older version comes to data of a newer one
	WarnNoReturn  WarningCode = "no_return" // a step of the update plan closes the way back
	WarnData      WarningCode = "data"      // volumes are destroyed
	WarnKept      WarningCode = "kept"      // volumes of instances that end stay until they are released
	WarnOver      WarningCode = "over"      // a change that is under way is given up
	WarnLeftover  WarningCode = "leftover"  // volumes of an earlier service are taken up
)

// Warning is what somebody should know before saying yes.
type Warning struct {
	Code      WarningCode       `json:"code"`
	ServiceID cluster.ServiceID `json:"service_id"`
	Pod       string            `json:"pod,omitempty"`
	Message   string            `json:"message"`          // a sentence
	Agents    []AgentLack       `json:"agents,omitempty"` // why an instance finds no place
}

// AgentLack says why an agent cannot take one more instance of a pod.
type AgentLack struct {
	Agent    cluster.AgentID     `json:"agent"`
	Hostname string              `json:"hostname"`
	Lacks    []cluster.Shortfall `json:"lacks,omitempty"`
	Reason   string              `json:"reason,omitempty"` // another reason: it is unreachable, it has one already
}

// Installation is an installation as the API shows it.
type Installation struct {
	ID         cluster.ServiceID `json:"id"`
	Package    string            `json:"package"`
	Version    string            `json:"version"`
	Digest     string            `json:"digest"`
	Repository string            `json:"repository"`
	Options    json.RawMessage   `json:"options,omitempty"` // effective
	PlanDigest string            `json:"plan_digest,omitempty"`
	Auto       bool              `json:"auto,omitempty"`
	Removing   bool              `json:"removing,omitempty"`
	At         cluster.Time      `json:"at"`
	Principal  string            `json:"principal,omitempty"`
	// Bindings says which service met each requirement, by alias.
	Bindings map[string]cluster.ServiceID `json:"bindings,omitempty"`
	// Newest is the newest version that the catalog has, when it is newer.
	Newest string `json:"newest,omitempty"`
	// RequiredBy lists the installations that need this one.
	RequiredBy []cluster.ServiceID `json:"required_by,omitempty"`
}

// Removal says what uninstalling did.
type Removal struct {
	ID cluster.ServiceID `json:"id"`
	// Broken lists the installations that needed it and were overruled.
	Broken []cluster.ServiceID `json:"broken,omitempty"`
	// Orphans lists automatic installations that nothing needs any more. They
	// stay until they are uninstalled.
	Orphans []cluster.ServiceID `json:"orphans,omitempty"`
	// KeptData says that the volumes stay, for the next service of this id.
	KeptData bool `json:"kept_data,omitempty"`
}
