package service

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// whyLost says why an instance cannot be launched where it lives, and sees
// whether its pod's Recovery gives it another place: when its agent was
// unreachable for long enough or is gone, one instance of a pod at a time, and
// only while all others of the pod are there. What loses many agents at once,
// such as a network that is down, must not cost all the data.
func (m *model) whyLost(in *instance, a *core.Agent) *Why {
	id := in.home.Agent
	at := WhyAgent{Agent: id, Hostname: in.home.Hostname, Rule: RuleGone}
	why := &Why{Reason: WhyLost, Command: fmt.Sprintf("dcos service replace %s %s", m.svc.Spec.ID, core.InstanceKey(in.pod.spec.Name, in.index))}
	var since cluster.Time
	switch {
	case a == nil || a.State == cluster.AgentGone:
	case a.State == cluster.AgentUnreachable:
		at.Rule, since = RuleUnreachable, a.Since
	case a.Drain != nil:
		at.Rule = RuleDraining
	case a.Deactivated:
		at.Rule = RuleDeactivated
	default:
		at.Rule = RuleShrunk
	}
	why.Agents = []WhyAgent{at}
	rec := in.pod.spec.Recovery
	if rec == nil || at.Rule != RuleGone && at.Rule != RuleUnreachable {
		return why
	}
	if at.Rule == RuleUnreachable {
		if until := since.Add(rec.ReplaceAfter); m.now < until {
			in.lostAt, why.Until = until, until
			return why
		}
	}
	for _, o := range in.pod.instances {
		if o != in && !o.there() {
			why.Instance = core.InstanceKey(in.pod.spec.Name, o.index)
			return why
		}
	}
	in.lost = true
	return why
}

// there reports whether an instance runs and is ready, of whatever spec.
func (in *instance) there() bool {
	return !in.replace && (in.state == StateReady || in.state == StateFinished)
}

// unsettled reports whether something may change for the service without a
// change of its records: other services that it refers to, the agents that
// instances live on, and what is remembered of instances.
func (m *model) unsettled() bool {
	for _, p := range m.pods {
		if slices.ContainsFunc(p.openRefs(-1), func(r cluster.Ref) bool { return r.Service != "" }) {
			return true
		}
		if len(p.spec.Volumes) == 0 {
			continue
		}
		for _, in := range p.instances {
			if !in.complete() {
				return true
			}
		}
	}
	return false
}
