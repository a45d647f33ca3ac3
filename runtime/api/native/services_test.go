package native

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/auth"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/core"
)

// limited lets everybody do what it is asked, but for one verb.
type limited struct{ not auth.Verb }

func (l limited) Authorize(_ context.Context, _ auth.Principal, v auth.Verb, o auth.Object) error {
	if v == l.not {
		return problem.New(problem.Forbidden, "no %s of %s", v, o)
	}
	return nil
}

// TestReplace_takesTheRightToDelete: a restart does not destroy data, a
// replacement does.
func TestReplace_takesTheRightToDelete(t *testing.T) {
	s, c, _ := serve(t, func(c *Config) { c.Authorizer = limited{not: auth.Delete} })
	index := s.View().Index()
	if _, err := c.RestartInstance(ctx(t), "web", client.RestartInstance{Pod: "p", Replace: true}); !problem.Is(err, problem.Forbidden) || s.View().Index() != index {
		t.Errorf("a replacement: %v, index %d after %d", err, s.View().Index(), index)
	}
	must[client.Accepted](t)(c.RestartInstance(ctx(t), "web", client.RestartInstance{Pod: "p"}))
	if task := s.View().Task("web.p-0.t.1"); !task.Killing {
		t.Errorf("task: %+v", task)
	}
}

// TestCommandsOfServices says which command each request is, and who it is from.
func TestCommandsOfServices(t *testing.T) {
	var got []core.Command
	s, _, _ := serve(t, nil)
	server := httptest.NewServer(New(Config{Cluster: taker{s, &got}, Principal: func(*http.Request) auth.Principal { return auth.Principal{Name: "alice"} }}))
	t.Cleanup(server.Close)
	c := must[*client.Client](t)(client.New(server.URL, server.Client()))
	seven := int64(7)
	for _, err := range []error{
		second(c.PutService(ctx(t), client.PutService{Spec: spec("web"), Over: true})),
		second(c.RemoveServiceKeepData(ctx(t), "web")),
		second(c.RestartInstance(ctx(t), "web", client.RestartInstance{Pod: "p", Index: 1, Task: "t", Replace: true})),
		second(c.CallPlan(ctx(t), "web", "update", core.VerbConfirm, client.CallPlan{Phase: "roll", Step: "p-1"})),
		second(c.RollbackService(ctx(t), "web", client.Rollback{Generation: 3, Expect: &seven})),
		second(c.ReleasePlaces(ctx(t), "web", "p-1")),
		second(c.ReleaseLeftovers(ctx(t), "web")),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []core.Command{
		core.PutService{Spec: spec("web"), Over: true, Principal: "alice"},
		core.RemoveService{Service: "web", KeepData: true, Principal: "alice"},
		core.RestartInstance{Service: "web", Pod: "p", Index: 1, Task: "t", Replace: true, Principal: "alice"},
		core.PlanCall{Service: "web", Plan: "update", Verb: core.VerbConfirm, Phase: "roll", Step: "p-1", Principal: "alice"},
		core.RollbackService{Service: "web", Generation: 3, Expect: &seven, Principal: "alice"},
		core.ReleasePlaces{Service: "web", Instances: []string{"p-1"}, Principal: "alice"},
		core.ReleaseLeftovers{Service: "web", Principal: "alice"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
}

// taker is a cluster that keeps the commands it gets.
type taker struct {
	*state
	got *[]core.Command
}

func (k taker) Submit(_ context.Context, cmd core.Command) (int64, []core.Event, error) {
	*k.got = append(*k.got, cmd)
	return 1, nil, nil
}
