package alloc

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Take ends offers because their framework accepts or declines them, and gives
// them. They must be outstanding, all different, and of one agent, framework
// and role (Mesos master.cpp, accept); otherwise Take says which is not, and
// those of the framework that were outstanding are ended all the same.
//
// After an accept the caller applies core.AcceptOffers with the sum of their
// resources before the next Cycle, and may Decline what no task took.
func (a *Allocator) Take(framework cluster.FrameworkID, ids ...cluster.OfferID) ([]cluster.Offer, error) {
	a.Heard(framework)
	var out []cluster.Offer
	var bad error
	for i, id := range ids {
		o := a.offers[id]
		switch {
		case slices.Contains(ids[:i], id):
			bad = fmt.Errorf("offer %q is named twice", id)
		case o == nil:
			bad = fmt.Errorf("offer %q is not outstanding: it was taken, rescinded, or its time is over", id)
		case o.Framework != framework:
			bad = fmt.Errorf("offer %q is not framework %q's", id, framework)
		case len(out) > 0 && (o.Agent.ID != out[0].Agent.ID || o.Role != out[0].Role):
			bad = fmt.Errorf("offer %q is of agent %q and role %q, offer %q of %q and %q", id, o.Agent.ID, o.Role,
				out[0].ID, out[0].Agent.ID, out[0].Role)
			a.withdraw(o)
		default:
			out = append(out, o.Offer)
			a.withdraw(o)
		}
	}
	if len(ids) == 0 {
		bad = fmt.Errorf("no offer is named")
	}
	if bad != nil {
		return nil, fmt.Errorf("take offers: %w", bad)
	}
	return out, nil
}

// Decline keeps what an offer held from being offered again to the same
// framework under the same role for a while: as long as no more than this is
// free on the agent. Of an accepted offer, give it with the resources that no
// task took. refuseFor 0 sets no filter; below 0 it is DefaultRefuse.
func (a *Allocator) Decline(now cluster.Time, o cluster.Offer, refuseFor cluster.Millis) {
	if refuseFor < 0 {
		refuseFor = DefaultRefuse
	}
	c := a.tree.clients[clientKey{o.Framework, o.Role}]
	g := a.byID[o.Agent.ID]
	if refuseFor == 0 || c == nil || g == nil || o.Pool().IsZero() {
		return
	}
	until := now.Add(min(MaxRefuse, max(a.cfg.Interval, refuseFor)))
	g.refuse(c, o.Pool(), until, now)
}

// Suppress stops offers to a framework under roles; with none, under all of its
// roles. It reaches what the latest Cycle saw subscribed: a framework that
// subscribes (again) wants offers.
func (a *Allocator) Suppress(framework cluster.FrameworkID, roles ...cluster.Role) {
	a.Heard(framework)
	a.each(framework, roles, func(c *client) { a.tree.suppress(c, true) })
}

// Revive undoes Suppress and all refusals of a framework under roles; with
// none, under all of its roles.
func (a *Allocator) Revive(framework cluster.FrameworkID, roles ...cluster.Role) {
	a.Heard(framework)
	a.each(framework, roles, func(c *client) {
		a.tree.forget(c)
		a.wishes++
		a.tree.suppress(c, false)
	})
}

// Suppressed reports whether a framework gets no offers under a role because
// it asked for none.
func (a *Allocator) Suppressed(framework cluster.FrameworkID, role cluster.Role) bool {
	c := a.tree.clients[clientKey{framework, role}]
	return c != nil && c.suppressed
}

// each calls f for the clients of a framework under roles.
func (a *Allocator) each(framework cluster.FrameworkID, roles []cluster.Role, f func(*client)) {
	if len(roles) == 0 {
		if fw := a.subs[framework]; fw != nil {
			roles = fw.Info.Roles
		}
	}
	for _, r := range roles {
		if c := a.tree.clients[clientKey{framework, r}]; c != nil {
			f(c)
		}
	}
}
