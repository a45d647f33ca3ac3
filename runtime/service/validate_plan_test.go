package service_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// plannedSpec is a spec with volumes, an order of tasks, plans and exports.
func plannedSpec() cluster.ServiceSpec {
	task := func(name string, goal cluster.Goal, after ...string) cluster.TaskTemplate {
		return cluster.TaskTemplate{Name: name, Goal: goal, After: after, Container: cluster.Container{Image: "i@sha256:0"}}
	}
	server := task("server", cluster.GoalRunning, "format")
	server.Ports = []cluster.PortSpec{{Name: "client"}}
	// All peers' places are known before the first launch.
	server.Container.Command = []string{"${pods.broker[0].host}:${pods.broker[0].ports.client},${pods.broker[1].host}", "${self.index + 1}", "${services.zk.endpoints.client}"}
	return cluster.ServiceSpec{ID: "kafka",
		Pods: []cluster.PodSpec{{Name: "broker", Count: 2, Volumes: []cluster.VolumeSpec{{Name: "data", Size: 1, Path: "/data"}, {Name: "log", Size: 1, Path: "/log"}},
			Recovery: &cluster.Recovery{ReplaceAfter: 1}, Tasks: []cluster.TaskTemplate{task("format", cluster.GoalOnce), server}}},
		Runs:     []cluster.RunTemplate{{Name: "check", Task: task("do", cluster.GoalFinish)}},
		Deploy:   []cluster.Phase{{Name: "up", Pod: "broker", Strategy: cluster.Serial}, {Name: "after", Steps: []cluster.Step{{Name: "a", Run: "check"}}}},
		Update:   []cluster.Phase{{Name: "roll", Pod: "broker", Strategy: cluster.SerialCanary, Gate: "check"}},
		Plans:    []cluster.PlanSpec{{Name: "repair", Phases: []cluster.Phase{{Name: "all", Steps: []cluster.Step{{Name: "a", Run: "check"}}}}}},
		Exports:  map[string]string{"uri": "kafka://${pods.broker[1].host}"},
		Deadline: 1, Rollback: true,
	}
}

func TestValidate_plans(t *testing.T) {
	if err := service.Validate(plannedSpec()); err != nil {
		t.Fatalf("the valid spec: %v", err)
	}
	for _, tc := range []struct {
		name    string
		spoil   func(*cluster.ServiceSpec)
		pointer string
		text    string
	}{
		{"volume name", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[1].Name = "data" }, "/pods/0/volumes/1/name", "twice"},
		{"volume size", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[1].Size = 0 }, "/pods/0/volumes/1/size_bytes", "0"},
		{"volume path", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[1].Path = "log" }, "/pods/0/volumes/1/path", `"log"`},
		{"volume in a volume", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes[1].Path = "/data/log" }, "/pods/0/volumes/1/path", "inside"},
		{"volumes of a gang", func(s *cluster.ServiceSpec) {
			s.Pods[0].Gang, s.Deploy[0].Strategy = true, ""
			s.Pods[0].Tasks[1].Container.Command = nil
		}, "/pods/0/gang", "volumes"},
		{"recovery without volumes", func(s *cluster.ServiceSpec) { s.Pods[0].Volumes = nil; s.Pods[0].Tasks[1].Container.Command = nil }, "/pods/0/recovery", "no volumes"},
		{"negative recovery", func(s *cluster.ServiceSpec) { s.Pods[0].Recovery.ReplaceAfter = -1 }, "/pods/0/recovery/replace_after_ms", "-1"},
		{"after nothing", func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[1].After = []string{"x"} }, "/pods/0/tasks/1/after", `"x"`},
		{"after what never ends", func(s *cluster.ServiceSpec) {
			s.Pods[0].Tasks[0].After = []string{"server"}
			s.Pods[0].Tasks[1].After = nil
		}, "/pods/0/tasks/0/after", "never ends"},
		{"after itself", func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[0].After = []string{"format"} }, "/pods/0/tasks/0/after", "after this one"},
		{"after in a network", func(s *cluster.ServiceSpec) { s.Pods[0].Network = "bridge" }, "/pods/0/network", "bridge"},
		{"run twice", func(s *cluster.ServiceSpec) { s.Runs = append(s.Runs, s.Runs[0]) }, "/runs/1/name", "twice"},
		{"run of no image", func(s *cluster.ServiceSpec) { s.Runs[0].Task.Container.Image = "" }, "/runs/0/task/container/image", "empty"},
		{"reference of a run", func(s *cluster.ServiceSpec) { s.Runs[0].Task.Container.Command = []string{"${pods.x[0].host}"} }, "/runs/0/task/container", `"x"`},
		{"step of no run", func(s *cluster.ServiceSpec) { s.Deploy[1].Steps[0].Run = "x" }, "/deploy/1/steps/0/run", `"x"`},
		{"no return unasked", func(s *cluster.ServiceSpec) { s.Deploy[1].Steps[0].NoReturn = true }, "/deploy/1/steps/0/confirm", "way back"},
		{"gate of no run", func(s *cluster.ServiceSpec) { s.Update[0].Gate = "x" }, "/update/0/gate", `"x"`},
		{"gate of no pod", func(s *cluster.ServiceSpec) { s.Deploy[1].Gate = "check" }, "/deploy/1", "no pod"},
		{"phase of nothing", func(s *cluster.ServiceSpec) { s.Deploy[1].Steps = nil }, "/deploy/1", "neither"},
		{"phase twice", func(s *cluster.ServiceSpec) { s.Deploy[1].Name = "up" }, "/deploy/1/name", "twice"},
		{"step named as an instance", func(s *cluster.ServiceSpec) {
			s.Deploy[0].Steps = []cluster.Step{{Name: "broker-1", Run: "check"}}
		}, "/deploy/0/steps/0/name", "name of an instance"},
		{"canary that is confirmed", func(s *cluster.ServiceSpec) { s.Update[0].Confirm = true }, "/update/0/confirm", "canary"},
		{"plan of a pod", func(s *cluster.ServiceSpec) { s.Plans[0].Phases[0].Pod = "broker" }, "/plans/0/phases/0/pod", "steps"},
		{"plan named update", func(s *cluster.ServiceSpec) { s.Plans[0].Name = "update" }, "/plans/0/name", "twice"},
		{"empty plan", func(s *cluster.ServiceSpec) { s.Plans[0].Phases = nil }, "/plans/0/phases", "empty"},
		{"rollback without a deadline", func(s *cluster.ServiceSpec) { s.Deadline = 0 }, "/rollback", "deadline"},
		{"export of itself", func(s *cluster.ServiceSpec) { s.Exports["uri"] = "${self.host}" }, "/exports/uri", "pods of its service"},
		{"export of another", func(s *cluster.ServiceSpec) { s.Exports["uri"] = "${services.zk.exports.uri}" }, "/exports/uri", "pods of its service"},
		{"export of no instance", func(s *cluster.ServiceSpec) { s.Exports["uri"] = "${pods.broker[2].host}" }, "/exports/uri", "instance 2"},
		{"leader check", func(s *cluster.ServiceSpec) {
			s.Pods[0].Tasks[1].Container.Leader = &cluster.Check{TCP: &cluster.TCPCheck{Port: "x"}}
		}, "/pods/0/tasks/1/container/leader/tcp/port", `"x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := plannedSpec()
			tc.spoil(&s)
			var bad *service.InvalidError
			if err := service.Validate(s); !errors.As(err, &bad) {
				t.Fatalf("Validate = %v, want an InvalidError", err)
			}
			if len(bad.Faults) != 1 || bad.Faults[0].Pointer != tc.pointer || !strings.Contains(bad.Faults[0].Message, tc.text) {
				t.Errorf("faults %+v, want one at %s with %q", bad.Faults, tc.pointer, tc.text)
			}
		})
	}
}
