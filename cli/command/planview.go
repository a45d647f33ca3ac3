package command

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// underway reports whether a plan was started and has not ended.
func underway(p service.PlanStatus) bool {
	switch p.Status {
	case service.PlanComplete:
		return false
	case service.PlanStopped:
		return p.Ended == 0 && !p.ByHand
	}
	return p.Started != 0 && p.Ended == 0
}

// changeOf is the plan that brings up the present spec; nil for none.
func changeOf(s service.Status) *service.PlanStatus {
	for i := range s.Plans {
		if p := &s.Plans[i]; !p.ByHand && p.Name != service.PlanRecovery && p.Generation == s.Generation {
			return p
		}
	}
	return nil
}

// planOf finds a plan by its name; nil for none.
func planOf(s service.Status, name string) *service.PlanStatus {
	i := slices.IndexFunc(s.Plans, func(p service.PlanStatus) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Plans[i]
}

// needsWord gives what a plan waits for when only a person can give it; nil when
// it goes on by itself.
func needsWord(p *service.PlanStatus) *service.Why {
	if p == nil || p.Why == nil {
		return nil
	}
	switch {
	case p.Status == service.PlanWaiting && p.Why.Reason == service.WhyConfirm,
		p.Why.Reason == service.WhyPaused:
		return p.Why
	}
	return nil
}

// planStyleOf is the colour of a plan's word.
func planStyleOf(w service.PlanWord) render.Style {
	switch w {
	case service.PlanComplete:
		return render.Good
	case service.PlanError:
		return render.Bad
	case service.PlanPending:
		return render.Muted
	}
	return render.Warn
}

func planCell(w service.PlanWord) render.Cell {
	return render.Cell{Text: string(w), Style: planStyleOf(w)}
}

// planMark is the mark of a plan's word.
func planMark(w service.PlanWord) render.ItemState {
	switch w {
	case service.PlanComplete:
		return render.ItemDone
	case service.PlanError:
		return render.ItemFailed
	case service.PlanInProgress:
		return render.ItemWorking
	}
	return render.ItemWaiting
}

// planNodes is the tree of a plan: its phases and their steps.
func planNodes(p service.PlanStatus) []render.Node {
	var out []render.Node
	for _, ph := range p.Phases {
		n := render.Node{State: planMark(ph.Status), Name: ph.Name, Word: planCell(ph.Status)}
		if ph.Pod != "" {
			n.Note = strings.TrimSuffix(fmt.Sprintf("pod %s, %s", ph.Pod, ph.Strategy), ", ")
		}
		for _, st := range ph.Steps {
			n.Children = append(n.Children, render.Node{State: planMark(st.Status), Name: stepName(st), Word: planCell(st.Status),
				Note: strings.Join(stepNotes(st), ", "), Why: st.WhyText})
		}
		out = append(out, n)
	}
	return out
}

// stepName is a step's name; a gate is told from the instance it follows.
func stepName(st service.StepStatus) string {
	if st.Kind == service.StepGate {
		return "gate " + st.Name
	}
	return st.Name
}

// stepNotes is what else is worth knowing of a step.
func stepNotes(st service.StepStatus) []string {
	var out []string
	if st.Forced {
		out = append(out, "by force")
	}
	if st.Status != service.PlanComplete && st.Confirm {
		out = append(out, "needs a word")
	}
	if st.NoReturn {
		out = append(out, "closes the way back")
	}
	if st.Tries > 0 {
		out = append(out, render.Count(st.Tries, "failed run"))
	}
	if st.Run != "" {
		out = append(out, "run "+string(st.Run))
	}
	return out
}

// runItems is the progress of the runs of a phase.
func runItems(parent string, p *service.PlanStatus, phase string) []render.Item {
	if p == nil {
		return nil
	}
	var out []render.Item
	for _, ph := range p.Phases {
		if ph.Name != phase {
			continue
		}
		for i, st := range ph.Steps {
			if st.Kind == service.StepInstance {
				continue
			}
			// A gate follows each instance under the same name: its place tells them apart.
			out = append(out, stepItem(fmt.Sprintf("%s/%d", parent, i), st))
		}
	}
	return out
}

// stepItem is the line of a step.
func stepItem(key string, st service.StepStatus) render.Item {
	it := render.Item{Key: key, State: planMark(st.Status), Text: stepName(st) + " " + planWordText(st.Status), Why: st.WhyText}
	if st.Tries > 0 {
		it.Note = render.Count(st.Tries, "failed run")
	}
	return it
}

// planWordText is a plan's word as it stands in a sentence.
func planWordText(w service.PlanWord) string {
	return strings.ToLower(strings.ReplaceAll(string(w), "_", " "))
}

// planItem is the progress tree of a plan.
func planItem(s service.Status, name string) render.Item {
	p := planOf(s, name)
	if p == nil {
		return render.Item{Key: name, State: render.ItemFailed, Text: fmt.Sprintf("%s has no plan %s any more", s.ID, name)}
	}
	root := render.Item{Key: name, State: planMark(p.Status), Text: fmt.Sprintf("plan %s of %s %s", name, s.ID, planWordText(p.Status))}
	if len(p.Phases) == 0 {
		root.Why = p.WhyText
	}
	for _, ph := range p.Phases {
		item := render.Item{Key: name + "/" + ph.Name, State: planMark(ph.Status), Text: "phase " + ph.Name + " " + planWordText(ph.Status)}
		for i, st := range ph.Steps {
			item.Children = append(item.Children, stepItem(fmt.Sprintf("%s/%d", item.Key, i), st))
		}
		root.Children = append(root.Children, item)
	}
	return root
}

// planGoal waits for the end of a plan.
func planGoal(id cluster.ServiceID, name string) goal {
	return goal{
		done: func(s service.Status) bool {
			p := planOf(s, name)
			return p == nil || !underway(*p)
		},
		word: func(s service.Status) *service.Why { return needsWord(planOf(s, name)) },
		item: func(s service.Status, _ time.Time) render.Item { return planItem(s, name) },
		late: "is not through with plan " + name, goes: "the plan",
		hint: fmt.Sprintf("look at it with: dcos service plan show %s %s", id, name),
		missing: func(s service.Status) []string {
			var out []string
			if p := planOf(s, name); p != nil {
				for _, ph := range p.Phases {
					for _, st := range ph.Steps {
						if st.Status != service.PlanComplete {
							out = append(out, strings.TrimSuffix(fmt.Sprintf("%s/%s %s: %s", ph.Name, stepName(st), planWordText(st.Status), st.WhyText), ": "))
						}
					}
				}
			}
			return out
		},
	}
}

// outMarks are the marks for the data stream; none where it is no terminal.
func (a *app) outMarks() render.Symbols {
	if !a.OutTerminal || a.plainText() {
		return render.Symbols{}
	}
	return render.Unicode
}

// writePlanStatus prints a plan for people: a line, what it waits for, its tree.
func (a *app) writePlanStatus(w io.Writer, p service.PlanStatus) error {
	paint := a.paint.out
	fmt.Fprintf(w, "%s  %s", paint.Sprint(render.Bold, render.Clean(p.Name)), paint.Sprint(planStyleOf(p.Status), render.Clean(string(p.Status))))
	if p.Generation != 0 {
		fmt.Fprintf(w, "  generation %d", p.Generation)
	}
	if p.Back != 0 {
		fmt.Fprintf(w, "  back to generation %d", p.Back)
	}
	if p.Started != 0 {
		fmt.Fprintf(w, "  started %s", a.age(p.Started))
	}
	if p.Ended != 0 {
		fmt.Fprintf(w, "  ended %s", a.age(p.Ended))
	}
	fmt.Fprintln(w)
	if p.Deadline != 0 {
		text := "until " + timeOf(p.Deadline).UTC().Format(time.RFC3339)
		if p.Rollback {
			text += ", then back by itself"
		}
		fmt.Fprintln(w, text)
	}
	if p.WhyText != "" {
		a.wrapped(w, 0, render.Clean(p.WhyText))
	}
	if len(p.Phases) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return render.Tree(w, planNodes(p), render.TreeOptions{Width: a.tableWidth(), Paint: paint, Symbols: a.outMarks()})
}

// wrapped prints text in lines that fit the terminal, the later ones indented by
// two more.
func (a *app) wrapped(w io.Writer, indent int, text string) {
	for i, part := range render.WrapCommand(text, a.tableWidth()-indent-2) {
		pad := indent
		if i > 0 {
			pad += 2
		}
		fmt.Fprintln(w, strings.Repeat(" ", pad)+part)
	}
}
