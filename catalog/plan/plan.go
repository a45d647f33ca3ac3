package plan

import (
	"encoding/json"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Plan is what installing would do.
type Plan struct {
	// Digest identifies what the plan does: steps, options, services. Warnings
	// and the revision are not in it.
	Digest   string  `json:"digest"`
	Revision int64   `json:"revision"` // of the cluster, when the plan was made
	Request  Request `json:"request"`
	// Steps is in the order of installing: a package comes after what it needs.
	// Those that are kept are among them.
	Steps    []Step    `json:"steps"`
	Cost     Cost      `json:"cost"` // of all that is new
	Warnings []Warning `json:"warnings,omitempty"`
	Notes    string    `json:"notes,omitempty"` // of the package asked for
}

// Action is what a step does.
type Action string

// The actions.
const (
	ActionInstall Action = "install"
	ActionKeep    Action = "keep" // it runs already and meets what is needed
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
	// Set for ActionInstall:
	Options  json.RawMessage      `json:"options,omitempty"` // effective
	Changed  []string             `json:"changed,omitempty"` // options that differ from the default, "worker.count"
	Service  *cluster.ServiceSpec `json:"service,omitempty"` // as it would run
	Pods     []PodCost            `json:"pods,omitempty"`
	Cost     *Cost                `json:"cost,omitempty"`
	Images   []catalog.Image      `json:"images,omitempty"`
	Bindings []Binding            `json:"bindings,omitempty"`
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
}
