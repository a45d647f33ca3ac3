package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// planStyle says how a plan is printed.
type planStyle struct {
	paint   render.Paint
	width   int // 0: no limit
	cluster string
	warning string // mark in front of warnings
}

func (a *app) planStyle(p render.Paint, terminal bool) planStyle {
	name, cl, err := a.selected()
	if err == nil && name == "" {
		name = cl.URL
	}
	return planStyle{paint: p, width: a.width(terminal), cluster: name, warning: a.symbols().Warning}
}

// writePlan prints a plan for people.
func writePlan(w io.Writer, p *plan.Plan, st planStyle) error {
	what := p.Request.Package
	if p.Kind != plan.KindInstall && p.Kind != "" {
		what = fmt.Sprintf("the %s of %s", strings.ToLower(kindWord(p.Kind)), target(p))
	}
	fmt.Fprintf(w, "Plan for %s on %s\n\n", render.Clean(what), render.Clean(st.cluster))
	t := &render.Table{Columns: []render.Column{{}, {}, {}, {}, {Cut: true}}}
	for _, s := range p.Steps {
		name := s.Package
		if string(s.ServiceID) != s.Package {
			name += " as " + string(s.ServiceID)
		}
		t.Add(actionSign(s.Action), render.Text(name), render.Text(versionText(s)), render.Text(stepReason(s)), render.Text(podCounts(s)))
	}
	if err := t.Write(w, render.TableOptions{Width: st.width, NoHeader: true, Paint: st.paint}); err != nil {
		return err
	}
	for _, s := range p.Steps {
		writeChanges(w, s, st)
	}
	for i, line := range planFacts(p) {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "  %s %s\n", st.paint.Sprint(render.Bold, render.Pad(line[0], 10, false)), hang(line[1], 13, st.width))
	}
	for _, warn := range p.Warnings {
		writeWarning(w, warn, st)
	}
	fmt.Fprintf(w, "\n%s. %s\n", countSteps(p), shortDigest(p.Digest))
	return nil
}

// hang wraps text whose later lines stand below its first, at a column.
func hang(text string, column, width int) string {
	lines := 0
	if width > 0 {
		lines = max(width-column-1, 20)
	}
	return strings.Join(render.Wrap(render.Clean(text), lines), "\n"+strings.Repeat(" ", column))
}

// reasons says who needs a step: "asked for", "spark ^3.8".
func reasons(s plan.Step) string {
	var out []string
	for _, why := range s.Why {
		switch {
		case why.From == "":
			out = append(out, strings.TrimSpace("wanted "+why.Constraint))
		default:
			out = append(out, strings.TrimSpace("for "+why.From+" "+why.Constraint))
		}
	}
	return strings.Join(out, ", ")
}

// podCounts says what a step runs: "1 x master, 2 x worker".
func podCounts(s plan.Step) string {
	var out []string
	for _, p := range s.Pods {
		out = append(out, fmt.Sprintf("%d x %s", p.Count, p.Pod))
	}
	return strings.Join(out, ", ")
}

// costText is what a plan adds to what is taken, or takes from it; "" for nothing.
func costText(c plan.Cost) string {
	var parts []string
	add := func(n int64, text string) {
		switch {
		case n > 0:
			parts = append(parts, "+"+text)
		case n < 0:
			parts = append(parts, "-"+text)
		}
	}
	add(c.CPU, render.CPUs(max(c.CPU, -c.CPU))+" CPU")
	add(c.Mem, cluster.Bytes(max(c.Mem, -c.Mem))+" memory")
	add(c.Disk, cluster.Bytes(max(c.Disk, -c.Disk))+" disk")
	text := strings.Join(parts, ", ")
	switch {
	case text == "":
		return ""
	case c.Tasks > 0:
		return text + " in " + render.Count(c.Tasks, "task")
	case c.Tasks < 0:
		return text + ", " + render.Count(-c.Tasks, "task") + " less"
	}
	return text
}

// planFacts are the lines on what a plan costs and sets.
func planFacts(p *plan.Plan) [][2]string {
	var facts [][2]string
	if text := costText(p.Cost); text != "" {
		facts = append(facts, [2]string{"Resources", text})
	}
	var images, licenses []string
	var size int64
	for _, s := range p.Steps {
		for _, i := range s.Images {
			images = append(images, i.Name)
			size += i.Size
		}
		licenses = append(licenses, s.Licenses...)
		if len(s.Changed) > 0 && s.From == nil {
			facts = append(facts, [2]string{"Options", fmt.Sprintf("of %s, not at their defaults: %s", s.ServiceID, strings.Join(s.Changed, ", "))})
		}
		for _, b := range s.Bindings {
			facts = append(facts, [2]string{"Bindings", bindingText(s, b)})
		}
	}
	if len(images) > 0 {
		facts = append(facts, [2]string{"Images", fmt.Sprintf("%s (%s), %s at most to pull on each agent", render.Count(len(images), "image"), strings.Join(images, ", "), cluster.Bytes(size))})
	}
	if len(licenses) > 0 {
		facts = append(facts, [2]string{"Licenses", strings.Join(unique(licenses), ", ")})
	}
	return facts
}

// bindingText says what meets a requirement, and what else would.
func bindingText(s plan.Step, b plan.Binding) string {
	text := fmt.Sprintf("%s of %s is %s", b.Alias, s.ServiceID, b.ServiceID)
	if len(b.Others) > 0 {
		var others []string
		for _, o := range b.Others {
			others = append(others, string(o))
		}
		text += fmt.Sprintf(" (also possible: %s; choose with --bind %s=ID)", strings.Join(others, ", "), b.Alias)
	}
	return text
}

func writeWarning(w io.Writer, warn plan.Warning, st planStyle) {
	fmt.Fprintf(w, "\n  %s %s\n", st.paint.Sprint(render.Warn, st.warning), hang(warn.Message, 3+render.Width(st.warning), st.width))
	for _, ag := range warn.Agents {
		var lacks []string
		for _, l := range ag.Lacks {
			lacks = append(lacks, l.String())
		}
		if ag.Reason != "" {
			lacks = append(lacks, ag.Reason)
		}
		fmt.Fprintf(w, "      %s  %s\n", render.Clean(string(ag.Agent)), render.Clean(strings.Join(lacks, ", ")))
	}
}

// shortDigest is enough of a digest to tell two plans apart.
func shortDigest(d string) string {
	_, hex, _ := strings.Cut(d, ":")
	return "Plan " + hex[:min(len(hex), 12)]
}
