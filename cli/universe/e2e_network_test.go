package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// TestDev_networks runs two instances that listen on the same port, each in a
// network of its own on an agent of its own, and looks into them.
func TestDev_networks(t *testing.T) {
	e := newE2E(t)
	e.dcos("package", "publish", "../../packages/nginx")
	e.dcos("package", "install", "nginx", "--yes")
	const listen = 8080
	spec := bridged(e.task().Spec.Container, listen)
	if _, err := e.api.PutService(t.Context(), client.PutService{Spec: spec}); err != nil {
		t.Fatal(err)
	}
	e.dcos("service", "watch", string(spec.ID), "--timeout", e2ePatience.String())
	tasks, err := e.api.Tasks(t.Context(), client.TaskFilter{Service: spec.ID})
	if err != nil || len(tasks) != 2 || tasks[0].Agent == tasks[1].Agent {
		t.Fatalf("want two tasks on two agents: %v, %+v", err, tasks)
	}
	for _, k := range tasks {
		if port := k.Spec.Ports["http"]; port == listen || k.Spec.Listen["http"] != listen {
			t.Errorf("task %s listens on %d and is published on %d", k.Spec.ID, k.Spec.Listen["http"], port)
		}
		resp, err := http.Get("http://" + published(k) + "/healthz?" + string(k.Spec.ID))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("task %s: %v %v", k.Spec.ID, resp, err)
		}
		resp.Body.Close()
		e.inside(k)
	}
	// Another life of the agent takes the network over as it is.
	first := tasks[0]
	e.again("universe agent", "/"+string(first.Agent)+"/agent.yaml")
	e.until("the agent is in touch again", func(context.Context) (bool, string) {
		log, err := e.api.TaskLog(t.Context(), first.Spec.ID, client.LogOptions{})
		if err != nil {
			return false, err.Error()
		}
		return log.Close() == nil, ""
	})
	if now, err := e.api.Task(t.Context(), first.Spec.ID); err != nil || now.Status.State != cluster.TaskRunning {
		t.Errorf("after its agent was killed the task is %+v (%v)", now.Status, err)
	}
	resp, err := http.Get("http://" + published(first) + "/healthz")
	if err != nil {
		t.Fatalf("after its agent was killed the task's port does not answer: %v", err)
	}
	resp.Body.Close()
	if _, err := e.api.RemoveService(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	e.until("the service is gone", func(ctx context.Context) (bool, string) {
		s, err := e.api.Service(ctx, spec.ID)
		return problem.Is(err, problem.NotFound), fmt.Sprint(s.State, err)
	})
	for _, k := range tasks {
		e.until("port "+published(k)+" is not published any more", func(ctx context.Context) (bool, string) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", published(k))
			if err != nil {
				return true, ""
			}
			return false, fmt.Sprint("it answers: ", conn.Close())
		})
	}
}

// bridged is a service of two instances of nginx with the container of another
// one, which listens in its own network.
func bridged(c cluster.Container, listen uint16) cluster.ServiceSpec {
	c.Files = slices.Clone(c.Files)
	for i, f := range c.Files {
		c.Files[i].Content = regexp.MustCompile(`listen [^;]+;`).ReplaceAllString(f.Content, fmt.Sprintf("listen 0.0.0.0:%d;", listen))
	}
	return cluster.ServiceSpec{ID: "bridged", Pods: []cluster.PodSpec{{Name: "web", Count: 2, Network: cluster.DefaultNetwork,
		Placement: []cluster.Constraint{{Attribute: cluster.AttributeHostname, Operator: cluster.OpUnique}},
		Tasks: []cluster.TaskTemplate{{Name: "nginx", Goal: cluster.GoalRunning, Container: c,
			Resources: cluster.Resources{CPU: 100, Mem: 64 << 20}, Ports: []cluster.PortSpec{{Name: "http", Listen: listen}}}}}}}
}

// published is where a task's port is reached from elsewhere.
func published(k cluster.Task) string { return fmt.Sprintf("%s:%d", k.Host, k.Spec.Ports["http"]) }

// inside runs commands in a task and reads its streams.
func (e *e2e) inside(k cluster.Task) {
	e.t.Helper()
	id := string(k.Spec.ID)
	if out := e.dcos("task", "exec", id, "/usr/sbin/nginx", "-h"); strings.Contains(out, "Usage") {
		e.t.Errorf("what goes to standard error came on the other stream: %s", out)
	}
	cmd := exec.Command(filepath.Join(e.bin, "dcos"), "task", "exec", id, "/usr/sbin/nginx", "-t", "-c", "/none")
	cmd.Env = e.env()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "/none") {
		e.t.Errorf("a command that fails: %v\n%s", err, out)
	}
	if log := e.dcos("task", "log", id, "stderr"); !strings.Contains(log, "start worker process") {
		e.t.Errorf("standard error: %q", log)
	}
	if log := e.dcos("task", "log", id, "stdout"); strings.Contains(log, "start worker process") {
		e.t.Errorf("standard output: %q", log)
	}
	if s, err := e.api.Service(e.t.Context(), k.Spec.Service); err != nil || s.State != service.ServiceRunning {
		e.t.Errorf("after the commands the service is %s (%v)", s.State, err)
	}
}
