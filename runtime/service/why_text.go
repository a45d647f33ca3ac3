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
		return w.backoff()
	case WhySurplus:
		return fmt.Sprintf("waits for the end of %s, which is not wanted any more", w.Instance)
	case WhyMinReady:
		return fmt.Sprintf("waits: %d are ready, and %d have to stay so", w.Gang.Fit, w.Gang.Wanted)
	case WhyHome:
		return "does not fit where it lives: " + w.agents() + "; it waits: " + w.Command
	case WhyPhase:
		return fmt.Sprintf("waits for phase %s", w.Phase)
	case WhyTurn:
		return fmt.Sprintf("waits for %s, one after the other%s", w.Instance, w.behind())
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
	case WhyPaused, WhyConfirm, WhyPlan, WhyPod, WhyStep, WhyRun, WhyRetry:
		return w.plan()
	case WhyPeer:
		return fmt.Sprintf("waits for a place for %s", w.Instance)
	case WhyRelease:
		return "its place is being given up for another one"
	case WhyLost:
		return w.lost()
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

// backoff says after what something is held back.
func (w *Why) backoff() string {
	text := "held back after a failure"
	if w.Failures > 1 {
		text = fmt.Sprintf("held back after %d failures in a row", w.Failures)
	}
	if w.Message != "" {
		text += ", the last: " + w.Message
	}
	return text
}

// behind is what stands behind a wait for somebody else.
func (w *Why) behind() string {
	if w.Behind == nil {
		return ""
	}
	return ", which " + w.Behind.String()
}

// plan says what is waited for in a plan.
func (w *Why) plan() string {
	switch w.Reason {
	case WhyPaused:
		return fmt.Sprintf("plan %s is %s: %s", w.Plan, w.Message, w.Command)
	case WhyConfirm:
		text := "waits for a person's word: " + w.Command
		if w.NoReturn {
			text = "closes the way back to specs of before, and " + text
		}
		return text
	case WhyPlan:
		return fmt.Sprintf("waits for plan %s", w.Plan)
	case WhyPod:
		return fmt.Sprintf("waits for %s to be ready", w.Instance)
	case WhyStep:
		return fmt.Sprintf("waits for step %s of phase %s%s", w.Step, w.Phase, w.behind())
	case WhyRun:
		if w.Tries > 0 {
			return fmt.Sprintf("waits for run %s, after %d that failed", w.Run, w.Tries)
		}
		return fmt.Sprintf("waits for run %s", w.Run)
	}
	text := fmt.Sprintf("waits to run %s again: %d runs failed, the last was %s", w.Step, w.Tries, w.Run)
	if w.Message != "" {
		text += " (" + w.Message + ")"
	}
	return text
}

// lost says why an instance cannot be launched where it lives.
func (w *Why) lost() string {
	text := fmt.Sprintf("it lives on agent %s", w.Agents[0].String())
	if w.Agents[0].Rule != "" {
		text = fmt.Sprintf("its agent %s %s", w.Agents[0].Agent, w.Agents[0].Rule.text())
	}
	switch {
	case w.Until != 0:
		return text + "; it gets another place when that lasts, or by: " + w.Command
	case w.Instance != "":
		return fmt.Sprintf("%s; it gets another place when %s is ready, or by: %s", text, w.Instance, w.Command)
	}
	return text + "; it waits: " + w.Command
}

// text is a rule as what an agent is.
func (r WhyRule) text() string {
	switch r {
	case RuleUnreachable:
		return "is unreachable"
	case RuleDraining:
		return "is being drained"
	case RuleDeactivated:
		return "is deactivated"
	case RuleGone:
		return "is gone"
	case RuleShrunk:
		return "has less than is reserved on it"
	case RuleUnique:
		return "has an instance of this pod, which is one per host"
	}
	return ""
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
	if text := w.Rule.text(); text != "" {
		parts = append(parts, text)
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
