package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/service"
)

// maxWhyNames bounds the instances that are named together for one reason.
const maxWhyNames = 6

// waiting is instances that wait for the same.
type waiting struct {
	names   []string
	head    string   // what for
	agents  []string // what is in the way on each agent
	omitted int      // agents beyond these
}

// waitings gathers the instances of a service that are not where they should be,
// in order; those that wait for the same are together.
func waitings(s service.Status) []waiting {
	var out []waiting
	at := map[string]int{}
	for _, pod := range s.Pods {
		for _, in := range pod.Instances {
			why := waitReason(in)
			if why == "" {
				continue
			}
			i, known := at[why]
			if !known {
				i, at[why] = len(out), len(out)
				out = append(out, newWaiting(why, in))
			}
			out[i].names = append(out[i].names, in.Name)
		}
	}
	return out
}

// newWaiting takes a reason apart: its sentence ends with what is in the way on
// each agent, where there is such a thing.
func newWaiting(why string, in service.InstanceStatus) waiting {
	if in.Why == nil || len(in.Why.Agents) == 0 {
		return waiting{head: why}
	}
	head, _, found := strings.Cut(why, in.Why.Agents[0].String())
	head, colon := strings.CutSuffix(head, ": ")
	if !found || !colon {
		return waiting{head: why}
	}
	w := waiting{head: head, omitted: in.Why.Omitted}
	for _, a := range in.Why.Agents {
		w.agents = append(w.agents, a.String())
	}
	return w
}

// whyText is the first reason why a service is not where it should be, without
// what is in the way on each agent; "" for none.
func whyText(s service.Status) string {
	all := waitings(s)
	if len(all) == 0 {
		return ""
	}
	return all[0].names[0] + ": " + all[0].head
}

// writeWaiting says what instances wait for, one agent a line.
func (a *app) writeWaiting(out io.Writer, all []waiting) {
	line := func(indent int, text string) {
		for i, part := range render.Wrap(render.Clean(text), a.tableWidth()-indent-2) {
			pad := indent
			if i > 0 {
				pad += 2
			}
			fmt.Fprintln(out, strings.Repeat(" ", pad)+part)
		}
	}
	for i, w := range all {
		if i == 0 {
			fmt.Fprintf(out, "\n%s\n", a.paint.out.Sprint(render.Bold, "WAITING"))
		}
		names := strings.Join(w.names[:min(len(w.names), maxWhyNames)], ", ")
		if more := len(w.names) - maxWhyNames; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		line(0, names+": "+w.head)
		for _, agent := range w.agents {
			line(2, agent)
		}
		if w.omitted > 0 {
			line(2, "and "+render.Count(w.omitted, "more agent"))
		}
	}
}
