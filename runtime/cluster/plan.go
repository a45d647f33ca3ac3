package cluster

// The plans of a service that have a meaning of their own. Others are started
// by hand.
const (
	PlanDeploy = "deploy" // from nothing to the spec
	PlanUpdate = "update" // from one spec to the next
)

// PlanSpec is a named series of steps that somebody starts by hand: a finalize,
// a repair, a backup.
type PlanSpec struct {
	Name    string  `json:"name"`              // [a-z][a-z0-9-]{0,30}; neither PlanDeploy nor PlanUpdate
	Confirm bool    `json:"confirm,omitempty"` // waits for a person's word before its first step
	Phases  []Phase `json:"phases"`
}

// Step is one run of a task in a phase: a format, a bootstrap, a finalize.
type Step struct {
	Name string `json:"name"`
	// Run names the RunTemplate that is run to its end. It counts as done when it
	// ended with 0, and is then never run again for the same spec.
	Run     string `json:"run"`
	Confirm bool   `json:"confirm,omitempty"` // waits for a person's word
	// NoReturn says that specs of before cannot come back once it was done.
	NoReturn bool `json:"no_return,omitempty"`
}

// PlanStep says which step or gate of a plan a run is.
type PlanStep struct {
	Plan string `json:"plan"`
	// Key is StepKey of the phase and the step, or of the phase and the instance
	// that the run is the gate of.
	Key string `json:"key"`
	// Started names the start of the plan that it belongs to: the end of a run of
	// an earlier start counts for nothing.
	Started  int64 `json:"started"`
	NoReturn bool  `json:"no_return,omitempty"` // as the step says
}

// StepKey names a step of a phase: "format/bootstrap". With an instance's name
// ("broker-0") in the place of the step it names the gate after that instance.
func StepKey(phase, step string) string { return phase + "/" + step }

// RunTemplate is a task that steps and gates of plans run.
type RunTemplate struct {
	Name string       `json:"name"` // [a-z][a-z0-9-]{0,30}
	Task TaskTemplate `json:"task"`
}

// VolumeSpec asks for disk that belongs to an instance of a pod and outlives
// its tasks.
type VolumeSpec struct {
	Name string `json:"name"`       // [a-z][a-z0-9-]{0,30}, unique in the pod
	Size int64  `json:"size_bytes"` // of the agent's disk
	Path string `json:"path"`       // absolute path in the containers of all tasks of the pod
}

// Recovery is what happens to an instance with volumes whose agent is lost.
type Recovery struct {
	// ReplaceAfter is how long its agent is unreachable before it gets another
	// place, with empty volumes.
	ReplaceAfter Millis `json:"replace_after_ms"`
}

// Place is where an instance with volumes lives: reserved on one agent, from
// before its first launch until it is given up.
type Place struct {
	Agent     AgentID           `json:"agent"`
	Host      string            `json:"host"`     // the agent's Host when the place was made
	Hostname  string            `json:"hostname"` // and its Hostname
	Stack     Stack             `json:"stack"`    // of what is reserved
	Resources Resources         `json:"resources"`
	Ports     map[string]uint16 `json:"ports,omitempty"` // port name -> host port, of all tasks
	Volumes   []Volume          `json:"volumes"`         // one for each VolumeSpec, in its order
	Made      Time              `json:"made"`
}

// PlaceRole is the role that the places of a service are reserved for and its
// tasks with volumes are launched under: "services/<id>" where the service names
// no role of its own, else "<role>/<id>".
func PlaceRole(s *ServiceSpec) Role {
	role := s.Role
	if role == "" || role == DefaultRole {
		role = "services"
	}
	return role + "/" + Role(s.ID)
}

// Phases gives the phases of a plan, with those of deploy and update filled in
// where the service names none: a phase for each pod, which has the pod's name,
// for deploy; those of deploy, one instance at a time, for update. It reports
// false when there is no such plan.
func (s *ServiceSpec) Phases(plan string) ([]Phase, bool) {
	switch plan {
	case PlanDeploy:
		if len(s.Deploy) > 0 {
			return s.Deploy, true
		}
		out := make([]Phase, 0, len(s.Pods))
		for i := range s.Pods {
			out = append(out, Phase{Name: s.Pods[i].Name, Pod: s.Pods[i].Name, Strategy: Parallel})
		}
		return out, true
	case PlanUpdate:
		if len(s.Update) > 0 {
			return s.Update, true
		}
		deploy, _ := s.Phases(PlanDeploy)
		out := make([]Phase, len(deploy))
		for i, ph := range deploy {
			ph.Strategy = Serial
			out[i] = ph
		}
		return out, true
	}
	for i := range s.Plans {
		if s.Plans[i].Name == plan {
			return s.Plans[i].Phases, true
		}
	}
	return nil, false
}
