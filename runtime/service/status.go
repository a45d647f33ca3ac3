package service

import (
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

// ServiceState is where a service as a whole stands.
type ServiceState string

// The states of a service.
const (
	ServiceDeploying  ServiceState = "deploying"  // some instance was not yet ready under the present spec
	ServiceRecovering ServiceState = "recovering" // all were; some is being brought back
	ServiceRunning    ServiceState = "running"    // all instances are ready
	ServiceRemoving   ServiceState = "removing"   // its tasks are being ended
)

// Status is a service as people and programs look at it.
type Status struct {
	ID           cluster.ServiceID     `json:"id"`
	Package      string                `json:"package,omitempty"`
	Version      string                `json:"version,omitempty"`
	Role         cluster.Role          `json:"role"`
	State        ServiceState          `json:"state"`
	Priority     int                   `json:"priority,omitempty"`
	Preemptible  bool                  `json:"preemptible,omitempty"`
	Generation   int64                 `json:"generation"` // log index of the spec
	Ready        int                   `json:"ready"`      // instances that are complete
	Total        int                   `json:"total"`      // instances wanted
	Pods         []PodStatus           `json:"pods"`
	Deployment   []PhaseStatus         `json:"deployment"`
	Endpoints    []EndpointStatus      `json:"endpoints,omitempty"`
	Installation *cluster.Installation `json:"installation,omitempty"`
	Leftover     []cluster.TaskID      `json:"leftover,omitempty"` // active tasks that no pod wants; they are being killed
	// Settled is the latest generation that was brought up completely.
	Settled int64 `json:"settled,omitempty"`
	// Changing says that the present spec was not brought up completely yet.
	Changing bool          `json:"changing,omitempty"`
	Plans    []PlanStatus  `json:"plans,omitempty"`
	Places   []PlaceStatus `json:"places,omitempty"`
	// History is the specs of before and the present one, the latest last.
	History   []RevisionStatus `json:"history,omitempty"`
	Notices   []string         `json:"notices,omitempty"` // what a person should know or do
	Exports   []ExportStatus   `json:"exports,omitempty"`
	Created   cluster.Time     `json:"created"`
	Updated   cluster.Time     `json:"updated"`
	Principal string           `json:"principal,omitempty"` // who put the spec
}

// PodStatus is a pod of a service.
type PodStatus struct {
	Name      string               `json:"name"`
	Count     int                  `json:"count"`
	Ready     int                  `json:"ready"` // instances that are complete
	Unique    bool                 `json:"unique,omitempty"`
	Gang      bool                 `json:"gang,omitempty"`
	MinReady  int                  `json:"min_ready,omitempty"`
	Network   string               `json:"network,omitempty"`
	Placement []cluster.Constraint `json:"placement,omitempty"`
	Instances []InstanceStatus     `json:"instances"`
}

// InstanceStatus is an instance of a pod.
type InstanceStatus struct {
	Name         string            `json:"name"` // "worker-0"
	Index        int               `json:"index"`
	State        State             `json:"state"`
	Ready        bool              `json:"ready"`              // under the present spec
	Outdated     bool              `json:"outdated,omitempty"` // of an older spec or address; it will be replaced
	Healthy      *bool             `json:"healthy,omitempty"`  // nil without a health check
	Agent        cluster.AgentID   `json:"agent,omitempty"`
	Hostname     string            `json:"hostname,omitempty"` // the agent's name for people
	Host         string            `json:"host,omitempty"`     // the address at which its ports are reached
	Ports        map[string]uint16 `json:"ports,omitempty"`
	Tasks        []TaskBrief       `json:"tasks,omitempty"`
	Since        cluster.Time      `json:"since,omitempty"`      // launch of what is there
	Failures     int               `json:"failures,omitempty"`   // in a row
	CrashLoop    bool              `json:"crash_loop,omitempty"` // it fails again and again: CrashLoop times in a row
	Leader       bool              `json:"leader,omitempty"`     // it leads its peers
	BackoffUntil cluster.Time      `json:"backoff_until,omitempty"`
	Last         *LastEnding       `json:"last,omitempty"`
	Why          *Why              `json:"why,omitempty"`      // why it is not launched
	WhyText      string            `json:"why_text,omitempty"` // the same for people
}

// TaskBrief is an active task of an instance.
type TaskBrief struct {
	ID      cluster.TaskID    `json:"id"`
	Task    string            `json:"task"` // name inside the pod
	State   cluster.TaskState `json:"state"`
	Ready   bool              `json:"ready"`
	Healthy *bool             `json:"healthy,omitempty"`
	Message string            `json:"message,omitempty"`
}

// LastEnding is how a task of an instance ended last.
type LastEnding struct {
	Task    cluster.TaskID    `json:"task"`
	State   cluster.TaskState `json:"state"`
	Reason  cluster.Reason    `json:"reason,omitempty"`
	Message string            `json:"message,omitempty"`
	At      cluster.Time      `json:"at"`
}

// PhaseState is where a phase of a deployment stands.
type PhaseState string

// The states of a phase.
const (
	PhasePending  PhaseState = "pending"  // a phase before it is not complete
	PhaseActive   PhaseState = "active"   // instances of it are being made ready
	PhaseComplete PhaseState = "complete" // all are ready
)

// PhaseStatus is a phase of the deployment.
type PhaseStatus struct {
	Name     string           `json:"name"`
	Pod      string           `json:"pod"`
	Strategy cluster.Strategy `json:"strategy"`
	State    PhaseState       `json:"state"`
	Done     int              `json:"done"` // instances that are complete
	Total    int              `json:"total"`
}

// ExportStatus is what a service gives others by name.
type ExportStatus struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	Known bool   `json:"known"` // all of it has its value
}

// EndpointStatus is a named way into a service with its addresses.
type EndpointStatus struct {
	Name      string            `json:"name"`
	Scheme    string            `json:"scheme,omitempty"`
	Addresses []EndpointAddress `json:"addresses"` // of the instances that have a place
}

// EndpointAddress is one instance behind an endpoint.
type EndpointAddress struct {
	Instance string `json:"instance"` // "master-0"
	Name     string `json:"name"`     // its DNS name
	Host     string `json:"host"`
	Port     uint16 `json:"port"`
	Ready    bool   `json:"ready"`
}

// StatusOf gives the status of a service at time now; false when there is none.
func StatusOf(now cluster.Time, view *core.View, id cluster.ServiceID) (Status, bool) {
	svc := view.Service(id)
	if svc == nil {
		return Status{}, false
	}
	return newWorld(now, view).status(svc), true
}

func (w *world) status(svc *core.Service) Status {
	m := newModel(w, svc)
	s := Status{
		ID: svc.Spec.ID, Package: svc.Spec.Package, Version: svc.Spec.Version, Role: m.role(),
		Priority: svc.Spec.Priority, Preemptible: svc.Spec.Preemptible,
		Generation: svc.Generation, Installation: svc.Installation,
		Created: svc.Created, Updated: svc.Updated, Principal: svc.Principal,
		Pods: make([]PodStatus, 0, len(m.pods)), Deployment: make([]PhaseStatus, 0, len(m.phases)),
	}
	for _, p := range m.pods {
		ps := m.podStatus(p)
		s.Ready, s.Total = s.Ready+ps.Ready, s.Total+ps.Count
		s.Pods = append(s.Pods, ps)
	}
	for _, ph := range m.phases {
		s.Deployment = append(s.Deployment, ph.status())
	}
	for _, t := range m.extra {
		s.Leftover = append(s.Leftover, t.Spec.ID)
	}
	s.Endpoints = m.endpoints()
	s.State = m.state()
	s.Settled, s.Changing = svc.Settled, svc.Changing()
	s.Places, s.History, s.Notices = m.placeStatuses(), m.history(), m.notices()
	if !svc.Removing {
		s.Plans, s.Exports = m.planStatuses(), m.exports()
	}
	return s
}

// Statuses gives the status of every service, in order of their ids.
func Statuses(now cluster.Time, view *core.View) []Status {
	out, w := []Status{}, newWorld(now, view)
	for svc := range view.Services() {
		out = append(out, w.status(svc))
	}
	return out
}

func (m *model) state() ServiceState {
	if m.svc.Removing {
		return ServiceRemoving
	}
	state := ServiceRunning
	for _, p := range m.pods {
		for _, in := range p.instances {
			switch {
			case in.complete():
			case in.outdated || !in.proven:
				return ServiceDeploying
			default:
				state = ServiceRecovering
			}
		}
	}
	return state
}

func (m *model) podStatus(p *pod) PodStatus {
	ps := PodStatus{Name: p.spec.Name, Count: p.spec.Count, Unique: p.spec.Unique, Gang: p.spec.Gang, MinReady: p.spec.MinReady,
		Network: p.spec.Network, Placement: p.spec.Placement, Instances: make([]InstanceStatus, 0, len(p.instances))}
	for _, in := range p.instances {
		if m.svc.Removing && len(in.live) == 0 {
			continue // it is gone already
		}
		is := m.instanceStatus(in)
		if is.Ready || is.State == StateFinished {
			ps.Ready++
		}
		ps.Instances = append(ps.Instances, is)
	}
	return ps
}

func (m *model) instanceStatus(in *instance) InstanceStatus {
	is := InstanceStatus{
		Name: core.InstanceKey(in.pod.spec.Name, in.index), Index: in.index, State: in.state,
		Ready: in.state == StateReady && in.complete(), Outdated: in.outdated,
		Failures: in.record().Failures, BackoffUntil: in.until, Why: in.why, CrashLoop: in.crashes(), Leader: in.leads(),
	}
	if m.svc.Removing {
		is.State = StateKilling
	}
	if in.action == actLaunch || in.action == actPlace {
		is.Why = m.whyNot(in)
	}
	if is.Why != nil {
		is.WhyText = is.Why.String()
	}
	if rec := in.record(); rec.LastTask != "" {
		is.Last = &LastEnding{Task: rec.LastTask, State: rec.LastState, Reason: rec.LastReason,
			Message: rec.LastMessage, At: rec.LastEnded}
	}
	if p := in.home; p != nil {
		is.Agent, is.Hostname, is.Host, is.Ports = p.Agent, p.Hostname, m.hostOf(p), maps.Clone(p.Ports)
	}
	for i, t := range in.live {
		if i == 0 {
			is.Agent, is.Host, is.Since, is.Ports = t.Agent, t.Host, t.Launched, maps.Clone(is.Ports)
			if is.Ports == nil {
				is.Ports = map[string]uint16{}
			}
			if a := m.view.Agent(t.Agent); a != nil {
				is.Hostname = a.Info.Hostname
			}
		}
		maps.Copy(is.Ports, t.Spec.Ports)
		is.Healthy = both(is.Healthy, t.Status.Healthy)
		is.Tasks = append(is.Tasks, TaskBrief{ID: t.Spec.ID, Task: t.Spec.Task, State: t.Status.State,
			Ready: t.Status.Ready, Healthy: t.Status.Healthy, Message: t.Status.Message})
	}
	return is
}

// both is whether two checks pass; a missing one does not count.
func both(a, b *bool) *bool {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	ok := *a && *b
	return &ok
}

func (ph *phase) status() PhaseStatus {
	s := PhaseStatus{Name: ph.spec.Name, Pod: ph.spec.Pod, Strategy: ph.spec.Strategy, State: PhasePending}
	if ph.pod != nil {
		s.Total = len(ph.pod.instances)
		for _, in := range ph.pod.instances {
			if in.complete() {
				s.Done++
			}
		}
	}
	switch {
	case ph.complete:
		s.State = PhaseComplete
	case ph.open:
		s.State = PhaseActive
	}
	return s
}

func (m *model) exports() (out []ExportStatus) {
	for _, name := range slices.Sorted(maps.Keys(m.svc.Spec.Exports)) {
		v, ok := m.other(cluster.Ref{Service: m.svc.Spec.ID, Field: cluster.RefExport, Port: name})
		out = append(out, ExportStatus{Name: name, Value: v, Known: ok})
	}
	return out
}

func (m *model) endpoints() []EndpointStatus {
	var out []EndpointStatus
	for _, e := range m.svc.Spec.Endpoints {
		es := EndpointStatus{Name: e.Name, Scheme: e.Scheme, Addresses: []EndpointAddress{}}
		if p := m.byName[e.Pod]; p != nil {
			for _, in := range p.instances {
				for _, t := range in.live {
					if port, ok := t.Spec.Ports[e.Port]; ok && t.Spec.Task == e.Task {
						es.Addresses = append(es.Addresses, EndpointAddress{
							Instance: core.InstanceKey(p.spec.Name, in.index), Name: names.Task(m.svc.Spec.ID, p.spec.Name, in.index, e.Task), Host: t.Host, Port: port, Ready: t.Status.Ready && !t.Killing})
					}
				}
			}
		}
		out = append(out, es)
	}
	return out
}
