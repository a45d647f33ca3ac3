package service

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// WhyReason says what an instance waits for.
type WhyReason string

// The reasons to wait.
const (
	WhyBackoff   WhyReason = "backoff"   // it failed; Until says when it is tried again
	WhyPhase     WhyReason = "phase"     // Phase is not complete
	WhyTurn      WhyReason = "turn"      // its phase is serial and Instance comes first
	WhyReference WhyReason = "reference" // References name pod instances without a place
	WhyOffer     WhyReason = "offer"     // it fits on an agent; the offer is on its way
	WhyResources WhyReason = "resources" // it fits nowhere; Agents says what is missing where
)

// Why says why an instance is not launched, as data.
type Why struct {
	Reason     WhyReason    `json:"reason"`
	Until      cluster.Time `json:"until,omitempty"`
	Phase      string       `json:"phase,omitempty"`
	Instance   string       `json:"instance,omitempty"`   // "kafka-0"
	References []string     `json:"references,omitempty"` // "pods.master[0].host"
	Agents     []WhyAgent   `json:"agents,omitempty"`     // at most MaxWhyAgents
	Omitted    int          `json:"omitted,omitempty"`    // agents beyond these
}

// WhyAgent says what keeps an instance from one agent.
type WhyAgent struct {
	Agent      cluster.AgentID     `json:"agent"`
	Hostname   string              `json:"hostname,omitempty"`
	Rule       WhyRule             `json:"rule,omitempty"`       // a rule that forbids it
	Shortfalls []cluster.Shortfall `json:"shortfalls,omitempty"` // what it has too little of
}

// WhyRule is a rule that keeps an instance from an agent whatever it has.
type WhyRule string

// The rules.
const (
	RuleUnique      WhyRule = "unique"      // another instance of the pod is there
	RuleUnreachable WhyRule = "unreachable" // the agent is silent
	RuleDraining    WhyRule = "draining"    // the agent is being emptied, or is empty
	RuleDeactivated WhyRule = "deactivated" // an operator wants no more tasks on the agent
)

// MaxWhyAgents bounds the agents that one Why lists.
const MaxWhyAgents = 50

// String says it in a sentence part.
func (w *Why) String() string {
	switch w.Reason {
	case WhyBackoff:
		return "held back after a failure"
	case WhyPhase:
		return fmt.Sprintf("waits for phase %s", w.Phase)
	case WhyTurn:
		return fmt.Sprintf("waits for %s, one after the other", w.Instance)
	case WhyReference:
		return "waits for " + strings.Join(w.References, ", ")
	case WhyOffer:
		return "waits for an offer"
	}
	if len(w.Agents) == 0 {
		return "fits nowhere: there is no agent"
	}
	parts := make([]string, len(w.Agents))
	for i := range w.Agents {
		parts[i] = w.Agents[i].String()
	}
	text := "fits nowhere: " + strings.Join(parts, "; ")
	if w.Omitted > 0 {
		text += fmt.Sprintf("; and %d more agents", w.Omitted)
	}
	return text
}

// String says it in a sentence part: "a1: mem: needs 2 GiB, has 512 MiB".
func (w WhyAgent) String() string {
	var parts []string
	switch w.Rule {
	case RuleUnique:
		parts = append(parts, "has an instance of this pod, which is one per host")
	case RuleUnreachable:
		parts = append(parts, "is unreachable")
	case RuleDraining:
		parts = append(parts, "is being drained")
	case RuleDeactivated:
		parts = append(parts, "is deactivated")
	}
	for _, s := range w.Shortfalls {
		parts = append(parts, s.String())
	}
	return string(w.Agent) + ": " + strings.Join(parts, ", ")
}

// whyNot explains an instance that is to be launched and has no place.
func (m *model) whyNot(in *instance) *Why {
	here := in.pod.perAgent()
	return WhyNoPlace(m.view, sched.NeedOf(in.toLaunch()), func(a cluster.AgentID) bool {
		return in.pod.spec.Unique && here[a] > 0
	})
}

// WhyNoPlace explains why a need has no place: WhyResources with what is
// missing on each agent, or WhyOffer when it fits on one. taken names the agents
// that a rule of uniqueness forbids; nil: none.
func WhyNoPlace(view *core.View, need sched.Need, taken func(cluster.AgentID) bool) *Why {
	w := &Why{Reason: WhyResources}
	for a := range view.Agents() {
		if a.State == cluster.AgentGone {
			continue
		}
		reason := whyAgent(a, need, taken != nil && taken(a.Info.ID))
		if reason == nil {
			return &Why{Reason: WhyOffer}
		}
		if len(w.Agents) == MaxWhyAgents {
			w.Omitted++
			continue
		}
		w.Agents = append(w.Agents, *reason)
	}
	return w
}

func whyAgent(a *core.Agent, need sched.Need, taken bool) *WhyAgent {
	w := &WhyAgent{Agent: a.Info.ID, Hostname: a.Info.Hostname}
	switch {
	case a.State == cluster.AgentUnreachable:
		w.Rule = RuleUnreachable
		return w
	case a.Drain != nil:
		w.Rule = RuleDraining
		return w
	case a.Deactivated:
		w.Rule = RuleDeactivated
		return w
	case taken:
		w.Rule = RuleUnique
		return w
	}
	if w.Shortfalls = need.Missing(a.Free()); w.Shortfalls == nil {
		return nil
	}
	return w
}
