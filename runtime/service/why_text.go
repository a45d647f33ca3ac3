package service

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

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
	case WhyGang:
		return fmt.Sprintf("waits for %s: its gang starts as one", w.Instance)
	case WhyEnding:
		return "waits for the end of what is being ended on " + string(w.Agents[0].Agent)
	case WhyPlacement:
		return w.placement()
	}
	text := "fits nowhere: "
	if w.Gang != nil {
		text = fmt.Sprintf("%d of %d fit, and all start or none", w.Gang.Fit, w.Gang.Wanted)
		if len(w.Agents) == 0 {
			return text
		}
		text += ": "
	}
	if len(w.Agents) == 0 {
		return text + "there is no agent"
	}
	return text + w.agents()
}

// placement says which rule no agent can satisfy.
func (w *Why) placement() string {
	name := attributeText(w.Constraint.Attribute)
	if w.Unknown {
		return fmt.Sprintf("no agent has attribute %q", name)
	}
	return fmt.Sprintf("no agent's %s satisfies %s: %s", name, constraintText(w.Constraint), w.agents())
}

func (w *Why) agents() string {
	parts := make([]string, len(w.Agents))
	for i := range w.Agents {
		parts[i] = w.Agents[i].String()
	}
	text := strings.Join(parts, "; ")
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

// attributeText is the name of an attribute for people: "hostname", "rack".
func attributeText(name string) string { return strings.TrimPrefix(name, "@") }

// constraintText says a rule without its attribute: "MAX_PER 2".
func constraintText(c *cluster.Constraint) string {
	return strings.TrimSpace(string(c.Operator) + " " + c.Value)
}
