package core_test

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// events prints events one a line, with the fields that are set.
func events(es []core.Event) string {
	var b strings.Builder
	for _, e := range es {
		fmt.Fprintf(&b, "%d %s", e.Index, e.Kind)
		for _, f := range []struct{ name, value string }{
			{"service", string(e.Service)}, {"run", string(e.Run)}, {"task", string(e.Task)}, {"agent", string(e.Agent)},
			{"framework", string(e.Framework)}, {"state", e.State}, {"reason", string(e.Reason)}, {"code", string(e.Code)},
			{"op", e.Operation}, {"instance", e.Instance}, {"plan", e.Plan}, {"step", e.Step}, {"by", e.Principal},
		} {
			if f.value != "" && !(f.name == "framework" && f.value == "services") {
				fmt.Fprintf(&b, " %s=%s", f.name, f.value)
			}
		}
		if e.Ready {
			b.WriteString(" ready")
		}
		if e.Leader {
			b.WriteString(" leader")
		}
		if e.Message != "" {
			fmt.Fprintf(&b, ": %s", e.Message)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func effects(es []core.Effect) string {
	var b strings.Builder
	for _, e := range es {
		fmt.Fprintf(&b, "-> %s %s %s", e.Agent, e.Order.Kind, e.Order.Task)
		if e.Order.Kind == cluster.OrderKill {
			fmt.Fprintf(&b, " grace=%d", e.Order.Grace)
		}
		if e.Order.Kind == cluster.OrderDestroy {
			fmt.Fprintf(&b, "volume=%s role=%s", e.Order.Volume, e.Order.Role)
		}
		if e.Order.UUID != "" {
			fmt.Fprintf(&b, " %s", e.Order.UUID)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// show prints a table.
func (e *env) show(what string) string {
	var b strings.Builder
	v := e.state.View()
	switch what {
	case "tasks":
		for t := range v.Tasks() {
			fmt.Fprintf(&b, "%s on %s %s", t.Spec.ID, t.Agent, t.Status.State)
			if t.Status.Reason != "" {
				fmt.Fprintf(&b, " %s", t.Status.Reason)
			}
			if t.Killing {
				b.WriteString(" killing")
			}
			if t.Status.Ready {
				b.WriteString(" ready")
			}
			b.WriteByte('\n')
		}
	case "agents":
		showAgents(&b, v)
	case "frameworks":
		for f := range v.Frameworks() {
			fmt.Fprintf(&b, "%s connected=%t removing=%t\n", f.Info.ID, f.Connected, f.Removing)
		}
		for u := range v.Usage() {
			fmt.Fprintf(&b, "%s under %s: %d tasks, %d cpus, %d mem\n", u.Framework, u.Role, u.Tasks, u.CPU, u.Mem)
		}
	case "quotas":
		for q := range v.Quotas() {
			fmt.Fprintf(&b, "%s guaranteed %+v limit %+v consumes %+v\n", q.Role, q.Guarantee, q.Limit, v.Consumed(q.Role))
		}
		for w := range v.Weights() {
			fmt.Fprintf(&b, "%s weighs %d\n", w.Role, w.Weight)
		}
	case "services":
		for s := range v.Services() {
			fmt.Fprintf(&b, "%s generation=%d removing=%t role=%s by=%s", s.Spec.ID, s.Generation, s.Removing, s.Spec.Role, s.Principal)
			if s.Installation != nil {
				fmt.Fprintf(&b, " package=%s", s.Installation.Package)
			}
			b.WriteByte('\n')
			for k, i := range v.Instances(s.Spec.ID) {
				fmt.Fprintf(&b, "  %s launches=%d failures=%d last=%s", k, i.Launches, i.Failures, i.LastState)
				for _, name := range sorted(i.Done) {
					fmt.Fprintf(&b, " done=%s:%s", name, i.Done[name].Task)
				}
				b.WriteByte('\n')
			}
		}
	case "runs":
		for r := range v.Runs() {
			fmt.Fprintf(&b, "%s %s task=%s attempts=%d", r.Spec.ID, r.State, r.Task, r.Attempts)
			if r.ExitCode != nil {
				fmt.Fprintf(&b, " exit=%d", *r.ExitCode)
			}
			fmt.Fprintf(&b, " %s %s\n", r.Reason, r.Message)
		}
	case "places":
		showPlaces(&b, v)
	case "plans":
		showPlans(&b, v)
	default:
		e.t.Fatalf("no such table: %s", what)
	}
	return b.String()
}

func showAgents(b *strings.Builder, v *core.View) {
	for a := range v.Agents() {
		fmt.Fprintf(b, "%s %s %d tasks hold %s; free %s", a.Info.ID, a.State, a.Tasks, a.Allocated, a.Free())
		if a.Shrunk {
			b.WriteString(" shrunk")
		}
		if a.Drain != nil {
			fmt.Fprintf(b, " %s until %d", a.Drain.State, a.Drain.Deadline)
		}
		if a.Deactivated {
			b.WriteString(" deactivated")
		}
		if a.Maintenance != nil {
			fmt.Fprintf(b, " away from %d for %d", a.Maintenance.Start, a.Maintenance.Duration)
		}
		b.WriteByte('\n')
		for _, r := range a.Reserved {
			held := a.Held.Of(r.Stack)
			fmt.Fprintf(b, "  for %s: %s volumes %v; held %s volumes %v\n", r.Stack, r.Resources.Text(), r.Volumes, held.Resources.Text(), held.Volumes)
		}
	}
}
