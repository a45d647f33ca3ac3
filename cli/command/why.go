package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

func (a *app) whyCommand() *cobra.Command {
	return a.ofService("", &cobra.Command{Use: "why", Short: "Say what a service waits for, and what to do about it"}, nil,
		func(ctx context.Context, id cluster.ServiceID, _ []string) error { return a.why(ctx, id) })
}

// serviceWhy is the document of `dcos service why -o json`.
type serviceWhy struct {
	ID        cluster.ServiceID    `json:"id"`
	State     service.ServiceState `json:"state"`
	Notices   []string             `json:"notices,omitempty"`
	Plans     []planWhy            `json:"plans,omitempty"`     // that are under way and wait
	Instances []instanceWhy        `json:"instances,omitempty"` // that are not where they should be
}

type planWhy struct {
	Plan   string           `json:"plan"`
	Status service.PlanWord `json:"status"`
	Text   string           `json:"text"`
	Why    *service.Why     `json:"why,omitempty"`
}

type instanceWhy struct {
	Instance string              `json:"instance"`
	State    service.State       `json:"state"`
	Text     string              `json:"text"`
	Why      *service.Why        `json:"why,omitempty"`
	Last     *service.LastEnding `json:"last,omitempty"`
}

// explanation gathers what a service waits for.
func explanation(s service.Status) serviceWhy {
	out := serviceWhy{ID: s.ID, State: s.State, Notices: s.Notices}
	for _, p := range s.Plans {
		if p.WhyText != "" && (underway(p) || p.Name == service.PlanRecovery) {
			out.Plans = append(out.Plans, planWhy{Plan: p.Name, Status: p.Status, Text: p.WhyText, Why: p.Why})
		}
	}
	for _, pod := range s.Pods {
		for _, in := range pod.Instances {
			if text := waitReason(in); text != "" {
				out.Instances = append(out.Instances, instanceWhy{Instance: in.Name, State: in.State, Text: text, Why: in.Why, Last: in.Last})
			}
		}
	}
	return out
}

func (a *app) why(ctx context.Context, id cluster.ServiceID) error {
	_, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	all := explanation(s)
	return a.object("ServiceWhy", all, string(id), func(w io.Writer) error {
		fmt.Fprintf(w, "%s  %s  %d of %d ready\n", a.paint.out.Sprint(render.Bold, render.Clean(string(s.ID))),
			a.paint.out.Sprint(serviceCell(s.State).Style, string(s.State)), s.Ready, s.Total)
		if len(all.Notices)+len(all.Plans)+len(all.Instances) == 0 {
			if s.State == service.ServiceRunning && !s.Changing {
				fmt.Fprintln(w, "It waits for nothing.")
				return nil
			}
			fmt.Fprintln(w, "Nothing is in its way: what is missing is on its way.")
		}
		a.writeNotices(w, s)
		for i, p := range all.Plans {
			if i == 0 {
				fmt.Fprintf(w, "\n%s\n", a.paint.out.Sprint(render.Bold, "PLANS"))
			}
			a.wrapped(w, 0, render.Clean(fmt.Sprintf("%s %s: %s", p.Plan, p.Status, p.Text)))
		}
		a.writeWaiting(w, waitings(s))
		return nil
	})
}

// writeNotices prints what a person should know or do, but for what instances
// say themselves.
func (a *app) writeNotices(w io.Writer, s service.Status) {
	said := map[string]bool{}
	for _, in := range explanation(s).Instances {
		said[in.Instance+": "+in.Text] = true
	}
	list := slices.DeleteFunc(slices.Clone(s.Notices), func(n string) bool { return said[n] })
	for i, n := range list {
		if i == 0 {
			fmt.Fprintf(w, "\n%s\n", a.paint.out.Sprint(render.Bold, "NOTICES"))
		}
		a.wrapped(w, 0, render.Clean(n))
	}
}

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
// what is in the way on each agent, or else why a plan stands; "" for none.
func whyText(s service.Status) string {
	if all := waitings(s); len(all) > 0 {
		return all[0].names[0] + ": " + all[0].head
	}
	for _, p := range s.Plans {
		if underway(p) && p.WhyText != "" {
			return "plan " + p.Name + ": " + p.WhyText
		}
	}
	return ""
}

// writeWaiting says what instances wait for, one agent a line.
func (a *app) writeWaiting(out io.Writer, all []waiting) {
	line := func(indent int, text string) { a.wrapped(out, indent, render.Clean(text)) }
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
