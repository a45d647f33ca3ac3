package native

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/job"
)

func (a *api) state(call) (reply, error) {
	v := a.Cluster.View()
	s := client.State{Index: v.Index(), Time: a.Cluster.Now()}
	for g := range v.Agents() {
		switch g.State {
		case cluster.AgentActive:
			s.Agents.Active++
			s.Total = s.Total.Plus(scalars(g.Info.Total))
			s.Allocated = s.Allocated.Plus(scalars(g.Allocated))
		case cluster.AgentUnreachable:
			s.Agents.Unreachable++
		case cluster.AgentGone:
			s.Agents.Gone++
		}
	}
	for range v.Services() {
		s.Services++
	}
	for t := range v.Tasks() {
		switch {
		case !t.Active():
			s.Tasks.Ended++
			continue
		case t.Status.State == cluster.TaskRunning:
			s.Tasks.Running++
		}
		s.Tasks.Active++
	}
	for r := range v.Runs() {
		if !r.State.Final() {
			s.Runs++
		}
	}
	return ok(s)
}

// scalars leaves the ports out: those of several agents are not one set.
func scalars(r cluster.Resources) cluster.Resources {
	r.Ports = nil
	return r
}

func (a *api) agents(call) (reply, error) {
	v := a.Cluster.View()
	l := client.List[*core.Agent]{Index: v.Index(), Items: []*core.Agent{}}
	for g := range v.Agents() {
		l.Items = append(l.Items, g)
	}
	return ok(l)
}

// removeAgent declares an agent gone: its tasks are lost and it never comes back.
func (a *api) removeAgent(c call) (reply, error) {
	return a.submit(c, core.AgentGone{Agent: cluster.AgentID(c.id), Principal: c.principal.Name})
}

func notFound(kind, id, hint string) error {
	return problem.New(problem.NotFound, "there is no %s %q", kind, id).WithHint("%s", hint)
}

// The way out of each notFound.
const (
	hintService = "see what there is: dcos service list"
	hintTask    = "see what there is: dcos task list --all"
	hintRun     = "runs that ended are kept for a while only"
	hintLeft    = "services leave something only when they are removed with their data kept"
)

// submit answers with the index of a change. What follows from it comes later.
func (a *api) submit(c call, cmd core.Command) (reply, error) {
	index, _, err := a.Cluster.Submit(c.Context(), cmd)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusAccepted, client.Accepted{Index: index}}, nil
}

func (a *api) tasks(c call) (reply, error) {
	all, err := flag(c, "all")
	if err != nil {
		return reply{}, err
	}
	v := a.Cluster.View()
	tasks := v.Tasks()
	if id := c.URL.Query().Get("service"); id != "" {
		if v.Service(cluster.ServiceID(id)) == nil {
			return reply{}, notFound("service", id, hintService)
		}
		tasks = v.ServiceTasks(cluster.ServiceID(id))
	}
	l := client.List[*cluster.Task]{Index: v.Index(), Items: []*cluster.Task{}}
	for t := range tasks {
		if all || t.Active() {
			l.Items = append(l.Items, t)
		}
	}
	return ok(l)
}

func (a *api) task(c call) (reply, error) {
	t := a.Cluster.View().Task(cluster.TaskID(c.id))
	if t == nil {
		return reply{}, notFound("task", c.id, hintTask)
	}
	return ok(t)
}

func (a *api) killTask(c call) (reply, error) {
	kill, err := optional[client.KillTask](c)
	if err != nil {
		return reply{}, err
	}
	return a.submit(c, core.KillTask{Task: cluster.TaskID(c.id), Grace: kill.Grace, Principal: c.principal.Name})
}

func (a *api) runs(call) (reply, error) {
	v := a.Cluster.View()
	return ok(client.List[job.Status]{Index: v.Index(), Items: job.Statuses(a.Cluster.Now(), v)})
}

func (a *api) run(c call) (reply, error) {
	s, found := job.StatusOf(a.Cluster.Now(), a.Cluster.View(), cluster.RunID(c.id))
	if !found {
		return reply{}, notFound("run", c.id, hintRun)
	}
	return ok(s)
}

func (a *api) startRun(c call) (reply, error) {
	spec, err := body[cluster.RunSpec](c)
	if err != nil {
		return reply{}, err
	}
	if spec.Plan != nil {
		return reply{}, problem.New(problem.Invalid, "run %q: the steps of plans are run by the plan", spec.Name).
			WithHint("start the plan, or complete the step by force: dcos service plan")
	}
	if spec.ID == "" {
		spec.ID = newRunID(spec.Name)
	}
	if _, _, err := a.Cluster.Submit(c.Context(), core.PutRun{Spec: spec, Principal: c.principal.Name}); err != nil {
		return reply{}, err
	}
	s, found := job.StatusOf(a.Cluster.Now(), a.Cluster.View(), spec.ID)
	if !found {
		return reply{}, notFound("run", string(spec.ID), hintRun) // it ended and was dropped already
	}
	return reply{http.StatusAccepted, s}, nil
}

func (a *api) cancelRun(c call) (reply, error) {
	return a.submit(c, core.CancelRun{Run: cluster.RunID(c.id), Principal: c.principal.Name})
}

// maxRunName is how much of an action's name its runs' ids show.
const maxRunName = 40

// newRunID makes an id that says what runs and is unique: "run-pi-8f3a01c2".
func newRunID(name string) cluster.RunID {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == maxRunName {
			break
		}
	}
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails (crypto/rand since Go 1.24)
	slug := strings.TrimSuffix(b.String(), "-")
	if slug == "" {
		slug = "run"
	}
	return cluster.RunID(slug + "-" + hex.EncodeToString(random))
}
