package master

import (
	"net/http"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/alloc"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/framework"
)

// TestWhy asks, over HTTP, why a framework waits.
func TestWhy(t *testing.T) {
	r := start(t, memLog(), nil)
	newFakeAgent(t, "a1").mustConnect(r.agents.URL) // 4 CPUs
	ctx := testContext(t)
	p := play(t, ctx, r.master.Frameworks("anonymous"), cluster.Framework{Roles: []cluster.Role{"eng"}})
	defer p.close()
	offers := p.offers()
	ask := func(role cluster.Role, need cluster.Resources) alloc.Why {
		t.Helper()
		w, err := r.client.Why(ctx, p.id, role, need)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	small, large := cluster.Resources{CPU: 1500, Mem: 100 << 20}, cluster.Resources{CPU: 4500, Ports: cluster.Port(8080)}
	if w := ask("eng", small); len(w.Agents) != 1 || w.Agents[0].Agent != "a1" || w.Agents[0].Obstacle != alloc.ObstacleOffered || w.Agents[0].Until != offers[0].Deadline {
		t.Errorf("what it has an offer of: %+v", w)
	}
	if w := ask("eng", large); len(w.Agents) != 1 || w.Agents[0].Obstacle != alloc.ObstacleResources || len(w.Agents[0].Shortfalls) != 1 || w.Agents[0].Shortfalls[0].Resource != "cpus" {
		t.Errorf("what no agent has: %+v", w)
	}
	hour := cluster.Millis(3_600_000)
	p.call(framework.Call{Decline: &framework.Decline{Offers: []cluster.OfferID{offers[0].ID}, RefuseFor: &hour}})
	if w := ask("eng", small); len(w.Counts) != 1 || w.Counts[0] != (alloc.WhyCount{Obstacle: alloc.ObstacleRefused, Agents: 1}) {
		t.Errorf("what it refused: %+v", w)
	}
	if w := ask("", small); !w.Unknown {
		t.Errorf("under a role that is not its own: %+v", w)
	}
	for _, c := range []struct {
		id    cluster.FrameworkID
		role  cluster.Role
		class problem.Class
	}{{"none", "eng", problem.NotFound}, {p.id, "a//b", problem.Invalid}} {
		if _, err := r.client.Why(ctx, c.id, c.role, small); !problem.Is(err, c.class) {
			t.Errorf("%s under %s: %v, want %s", c.id, c.role, err, c.class)
		}
	}
	for _, query := range []string{"cpus=NaN", "cpus=-1", "cpus=1&cpus=2", "cpus(eng)=1", "cpus=1%3Bmem:5", "role=a&role=b", "mem=1e30", "=1"} {
		resp, err := r.api.Client().Get(r.api.URL + "/v1/frameworks/" + string(p.id) + "/why?" + query)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", query, resp.Status)
		}
	}
}
