package cluster_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestPlaceRole(t *testing.T) {
	for role, want := range map[cluster.Role]cluster.Role{"": "services/db", "*": "services/db", "eng": "eng/db", "eng/data": "eng/data/db"} {
		got := cluster.PlaceRole(&cluster.ServiceSpec{ID: "db", Role: role})
		if got != want || !cluster.ValidRole(got) {
			t.Errorf("role %q: places are for %q, want %q", role, got, want)
		}
	}
}

func TestPhases(t *testing.T) {
	s := &cluster.ServiceSpec{Pods: []cluster.PodSpec{{Name: "a"}, {Name: "b"}}, Plans: []cluster.PlanSpec{{Name: "repair", Phases: []cluster.Phase{{Name: "one"}}}}}
	check := func(plan string, want ...cluster.Phase) {
		t.Helper()
		got, ok := s.Phases(plan)
		if d := cmp.Diff(want, got); d != "" || ok != (want != nil) {
			t.Errorf("phases of %s, there: %t (-want +got):\n%s", plan, ok, d)
		}
	}
	check("deploy", cluster.Phase{Name: "a", Pod: "a", Strategy: cluster.Parallel}, cluster.Phase{Name: "b", Pod: "b", Strategy: cluster.Parallel})
	check("update", cluster.Phase{Name: "a", Pod: "a", Strategy: cluster.Serial}, cluster.Phase{Name: "b", Pod: "b", Strategy: cluster.Serial})
	check("repair", cluster.Phase{Name: "one"})
	check("nosuch")
	s.Deploy = []cluster.Phase{{Name: "x", Pod: "b", Gate: "g", Strategy: cluster.ParallelCanary}}
	check("deploy", s.Deploy...)
	check("update", cluster.Phase{Name: "x", Pod: "b", Gate: "g", Strategy: cluster.Serial})
	if s.Deploy[0].Strategy != cluster.ParallelCanary {
		t.Error("the phases of update were written into those of deploy")
	}
	s.Update = []cluster.Phase{{Name: "y"}}
	check("update", s.Update...)
}

// keeper is a pod and a service with each part that is validated here.
func keeper() cluster.ServiceSpec {
	return cluster.ServiceSpec{ID: "db", Exports: map[string]string{"uri": "x"}, Deadline: 1,
		Pods: []cluster.PodSpec{{Name: "p", Count: 1, Recovery: &cluster.Recovery{ReplaceAfter: 1},
			Volumes: []cluster.VolumeSpec{{Name: "data", Size: 1, Path: "/data"}, {Name: "log", Size: 1, Path: "/log"}},
			Tasks:   []cluster.TaskTemplate{{Name: "a", Goal: cluster.GoalOnce}, {Name: "b", Goal: cluster.GoalFinish, After: []string{"a"}}, {Name: "c", Goal: cluster.GoalRunning, After: []string{"a", "b"}}}}},
		Runs:   []cluster.RunTemplate{{Name: "job"}},
		Update: []cluster.Phase{{Name: "one", Pod: "p", Gate: "job", Strategy: cluster.SerialCanary, Steps: []cluster.Step{{Name: "last", Run: "job"}}}, {Name: "two", Steps: []cluster.Step{{Name: "x", Run: "job"}}}},
		Plans:  []cluster.PlanSpec{{Name: "repair", Phases: []cluster.Phase{{Name: "one", Steps: []cluster.Step{{Name: "last", Run: "job"}}}}}}}
}

func TestValidateVolumesAndPlans(t *testing.T) {
	good := keeper()
	if err := good.ValidatePlans(); err != nil {
		t.Fatal(err)
	}
	if err := good.Pods[0].ValidateVolumes(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want  string
		spoil func(s *cluster.ServiceSpec)
	}{
		{"over the limit of 16", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes = make([]cluster.VolumeSpec, 17) }},
		{"volume name", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[0].Name = "a.b" }},
		{"there twice", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[0].Name = "log" }},
		{"size of 0", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[0].Size = 0 }},
		{"size of", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[0].Size = cluster.MaxAmount + 1 }},
		{`path "data"`, func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[0].Path = "data" }},
		{`path "/data/../etc"`, func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[0].Path = "/data/../etc" }},
		{`path "/"`, func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[0].Path = "/" }},
		{`path "/log"`, func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[0].Path = "/log"; s.Pods[0].Volumes[1].Path = "/log" }},
		{"it has no volumes", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes = nil }},
		{"replacing after 0", func(s *cluster.ServiceSpec) { s.Pods[0].Recovery.ReplaceAfter = 0 }},
		{`after "nosuch"`, func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[1].After[0] = "nosuch" }},
		{`after "c"`, func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[1].After[0] = "c" }},
		{"tasks a, b, c wait for each other", func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[0].After = []string{"b"} }},
		{"33 runs", func(s *cluster.ServiceSpec) { s.Runs = make([]cluster.RunTemplate, 33) }},
		{"run name", func(s *cluster.ServiceSpec) { s.Runs[0].Name = "Job" }},
		{"plan name", func(s *cluster.ServiceSpec) { s.Plans[0].Name = "update" }},
		{"has no steps", func(s *cluster.ServiceSpec) { s.Plans[0].Phases = nil }},
		{"a phase with a pod", func(s *cluster.ServiceSpec) { s.Plans[0].Phases[0].Pod = "p" }},
		{`phase name ""`, func(s *cluster.ServiceSpec) { s.Update[0].Name = "" }},
		{`phase name "two"`, func(s *cluster.ServiceSpec) { s.Update[0].Name = "two" }},
		{"101 phases", func(s *cluster.ServiceSpec) { s.Deploy = make([]cluster.Phase, 101) }},
		{"neither a pod nor steps", func(s *cluster.ServiceSpec) { s.Update[1].Steps = nil }},
		{`names pod "q"`, func(s *cluster.ServiceSpec) { s.Update[0].Pod = "q" }},
		{`gate "nosuch"`, func(s *cluster.ServiceSpec) { s.Update[0].Gate = "nosuch" }},
		{"no pod to follow", func(s *cluster.ServiceSpec) { s.Update[1].Gate = "job" }},
		{"101 steps", func(s *cluster.ServiceSpec) { s.Update[0].Steps = make([]cluster.Step, 101) }},
		{`strategy "all"`, func(s *cluster.ServiceSpec) { s.Update[0].Strategy = "all" }},
		{`a step ""`, func(s *cluster.ServiceSpec) { s.Update[0].Steps[0].Name = "" }},
		{`runs "nosuch"`, func(s *cluster.ServiceSpec) { s.Update[0].Steps[0].Run = "nosuch" }},
		{"named as an instance", func(s *cluster.ServiceSpec) { s.Update[0].Steps[0].Name = "p-12" }},
		{"deadline of -1", func(s *cluster.ServiceSpec) { s.Deadline = -1 }},
		{`export "U R"`, func(s *cluster.ServiceSpec) { s.Exports = map[string]string{"U R": ""} }},
		{`export "u"`, func(s *cluster.ServiceSpec) {
			s.Exports = map[string]string{"u": strings.Repeat("x", cluster.MaxExport+1)}
		}},
	} {
		s := keeper()
		c.spoil(&s)
		err := s.ValidatePlans()
		if err == nil {
			err = s.Pods[0].ValidateVolumes()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func TestRef_ofServices(t *testing.T) {
	for text, want := range map[string]cluster.Ref{
		"services.zk.endpoints.client": {Service: "zk", Field: cluster.RefEndpoint, Port: "client"},
		"services.zk.exports.uri":      {Service: "zk", Field: cluster.RefExport, Port: "uri"},
		"self.index + 3":               {Field: cluster.RefIndex, Index: 3},
	} {
		if got, ok := cluster.ParseRef(text); !ok || got != want || got.String() != text {
			t.Errorf("%s is read as %+v (%t), written %s", text, got, ok, got)
		}
	}
	for _, text := range []string{"services.zk.endpoints", "services.zk.hosts.a", "services.ZK.exports.a", "services.zk.exports.a.b", "self.index + -1", "self.index + x", "self.index +", "self.index - 1", "self.index + 9999999"} {
		if got, ok := cluster.ParseRef(text); ok {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
}

func TestContainerStrings_leader(t *testing.T) {
	c := cluster.Container{Leader: &cluster.Check{Command: []string{"ask", "${self.host}"}}}
	out, err := c.Strings(func(s string) (string, error) { return strings.ReplaceAll(s, "${self.host}", "10.0.0.1"), nil })
	if err != nil || out.Leader.Command[1] != "10.0.0.1" || c.Leader.Command[1] != "${self.host}" {
		t.Errorf("the leader check is %+v, was %+v: %v", out.Leader, c.Leader, err)
	}
}
