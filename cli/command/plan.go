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
	fmt.Fprintf(w, "Plan for %s on %s\n\n", render.Clean(p.Request.Package), render.Clean(st.cluster))
	t := &render.Table{Columns: []render.Column{{}, {}, {}, {}, {Cut: true}}}
	added := 0
	for _, s := range p.Steps {
		sign := render.Cell{Text: "  =", Style: render.Muted}
		if s.Action == plan.ActionInstall {
			sign = render.Cell{Text: "  +", Style: render.Good}
			added++
		}
		name := s.Package
		if string(s.ServiceID) != s.Package {
			name += " as " + string(s.ServiceID)
		}
		t.Add(sign, render.Text(name), render.Text(s.Version), render.Text(reasons(s)), render.Text(podCounts(s)))
	}
	if err := t.Write(w, render.TableOptions{Width: st.width, NoHeader: true, Paint: st.paint}); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, line := range planFacts(p) {
		fmt.Fprintf(w, "  %s %s\n", st.paint.Sprint(render.Bold, render.Pad(line[0], 10, false)), render.Clean(line[1]))
	}
	for _, warn := range p.Warnings {
		writeWarning(w, warn, st)
	}
	fmt.Fprintf(w, "\n%d to add, %d unchanged. %s\n", added, len(p.Steps)-added, shortDigest(p.Digest))
	return nil
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

// planFacts are the lines on what a plan costs and sets.
func planFacts(p *plan.Plan) [][2]string {
	c := p.Cost
	amount := fmt.Sprintf("+%s CPU, +%s memory", render.CPUs(c.CPU), cluster.Bytes(c.Mem))
	if c.Disk > 0 {
		amount += ", +" + cluster.Bytes(c.Disk) + " disk"
	}
	amount += fmt.Sprintf(" in %s", render.Count(c.Tasks, "task"))
	facts := [][2]string{{"Resources", amount}}
	var images, licenses []string
	var size int64
	for _, s := range p.Steps {
		for _, i := range s.Images {
			images = append(images, i.Name)
			size += i.Size
		}
		licenses = append(licenses, s.Licenses...)
		if len(s.Changed) > 0 {
			facts = append(facts, [2]string{"Options", fmt.Sprintf("of %s, not at their defaults: %s", s.ServiceID, strings.Join(s.Changed, ", "))})
		}
		for _, b := range s.Bindings {
			facts = append(facts, [2]string{"Bindings", fmt.Sprintf("%s of %s is %s", b.Alias, s.ServiceID, b.ServiceID)})
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

func writeWarning(w io.Writer, warn plan.Warning, st planStyle) {
	fmt.Fprintf(w, "\n  %s %s\n", st.paint.Sprint(render.Warn, st.warning), render.Clean(warn.Message))
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
