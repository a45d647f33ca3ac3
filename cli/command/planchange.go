package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
)

// actionSign is the mark of what a step of a plan does.
func actionSign(act plan.Action) render.Cell {
	switch act {
	case plan.ActionInstall:
		return render.Cell{Text: "  +", Style: render.Good}
	case plan.ActionKeep:
		return render.Cell{Text: "  =", Style: render.Muted}
	case plan.ActionUninstall:
		return render.Cell{Text: "  -", Style: render.Bad}
	}
	return render.Cell{Text: "  ~", Style: render.Warn}
}

// versionText is the version of a step: "3.9.2 -> 4.3.1" where it changes.
func versionText(s plan.Step) string {
	if s.From != nil && s.From.Version != s.Version {
		return s.From.Version + " -> " + s.Version
	}
	return s.Version
}

// stepReason says why a step is in a plan: who needs it, or what is done.
func stepReason(s plan.Step) string {
	switch s.Action {
	case plan.ActionInstall, plan.ActionKeep:
		return reasons(s)
	case plan.ActionRollback:
		if s.From != nil && s.From.To != 0 {
			return fmt.Sprintf("rollback to generation %d", s.From.To)
		}
	}
	return string(s.Action)
}

// writeChanges prints what a change does to a service: its options, its pods
// and why, and the order in which it is done.
func writeChanges(w io.Writer, s plan.Step, st planStyle) {
	head := func(i int, text string) {
		if i == 0 {
			fmt.Fprintf(w, "\n  %s\n", st.paint.Sprint(render.Bold, text))
		}
	}
	for i, o := range s.Settings {
		head(i, "Options")
		st.line(w, 4, fmt.Sprintf("%s: %s -> %s", o.Name, valueText(o.From), valueText(o.To)))
	}
	for i, c := range s.Changes {
		head(i, "Pods")
		st.line(w, 4, podChangeText(c))
		for _, r := range c.Reasons {
			st.line(w, 6, reasonText(r))
		}
	}
	for i, r := range s.Rollout {
		head(i, "What happens, in this order")
		st.line(w, 4, fmt.Sprintf("%d. %s", i+1, rolloutText(r)))
		for _, step := range r.Steps {
			text := "then runs " + step.Name
			if step.Confirm {
				text += ", at a person's word"
			}
			if step.NoReturn {
				text += "; there is no way back after it"
			}
			st.line(w, 7, text)
		}
	}
}

// line prints text that fits the width; later lines are indented by two more.
func (st planStyle) line(w io.Writer, indent int, text string) {
	width := 0
	if st.width > 0 {
		width = max(st.width-indent-2, 20)
	}
	for i, part := range render.Wrap(render.Clean(text), width) {
		pad := indent
		if i > 0 {
			pad += 2
		}
		fmt.Fprintln(w, strings.Repeat(" ", pad)+part)
	}
}

// maxValue bounds a value that is shown, in cells.
const maxValue = 60

// valueText is the value of an option, or that it has none.
func valueText(v json.RawMessage) string {
	if len(v) == 0 {
		return "(none)"
	}
	return render.Truncate(render.Clean(string(v)), maxValue)
}

// podChangeText says what becomes of a pod.
func podChangeText(c plan.PodChange) string {
	switch c.Kind {
	case plan.ChangeAdd:
		return fmt.Sprintf("%s is new, with %s", c.Pod, render.Count(c.To, "instance"))
	case plan.ChangeRemove:
		return fmt.Sprintf("%s goes, with %s", c.Pod, render.Count(c.From, "instance"))
	case plan.ChangeScale:
		return fmt.Sprintf("%s goes from %d to %s", c.Pod, c.From, render.Count(c.To, "instance"))
	case plan.ChangeRules:
		return c.Pod + " gets other rules; nothing is restarted"
	}
	if c.From == c.To {
		return fmt.Sprintf("%s is restarted, %s", c.Pod, render.Count(c.To, "instance"))
	}
	return fmt.Sprintf("%s is restarted, and goes from %d to %s", c.Pod, c.From, render.Count(c.To, "instance"))
}

func reasonText(r plan.Reason) string {
	text := r.What
	if r.Task != "" {
		text = r.Task + ": " + text
	}
	if r.Detail != "" {
		text += " (" + r.Detail + ")"
	}
	return text
}

// rolloutText says what a phase of the update plan does.
func rolloutText(r plan.RolloutPhase) string {
	var do []string
	add := func(n int, what string) {
		if n > 0 {
			do = append(do, fmt.Sprintf("%s %d", what, n))
		}
	}
	add(r.Restarts, "restarts")
	add(r.Starts, "starts")
	add(r.Ends, "ends")
	text := r.Name
	if r.Pod != "" && r.Pod != r.Name {
		text += ", pod " + r.Pod
	}
	if len(do) > 0 {
		text += ": " + strings.Join(do, ", ")
	}
	if r.Strategy != "" && r.Restarts+r.Starts > 0 {
		text += ", " + string(r.Strategy)
	}
	if r.Gate != "" {
		text += ", after each " + r.Gate
	}
	if r.Confirm {
		text += "; waits for a person's word before it"
	}
	return text
}

// countSteps says how much of each a plan does.
func countSteps(p *plan.Plan) string {
	n := map[plan.Action]int{}
	changed := 0
	for _, s := range p.Steps {
		n[s.Action]++
		switch s.Action {
		case plan.ActionInstall, plan.ActionKeep, plan.ActionUninstall:
		default:
			changed++
		}
	}
	var out []string
	if n[plan.ActionInstall] > 0 || changed+n[plan.ActionUninstall] == 0 {
		out = append(out, fmt.Sprintf("%d to add", n[plan.ActionInstall]))
	}
	if changed > 0 {
		out = append(out, fmt.Sprintf("%d to change", changed))
	}
	if n[plan.ActionUninstall] > 0 {
		out = append(out, fmt.Sprintf("%d to remove", n[plan.ActionUninstall]))
	}
	return strings.Join(append(out, fmt.Sprintf("%d unchanged", n[plan.ActionKeep])), ", ")
}
