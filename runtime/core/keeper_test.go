package core_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// keeper reads the lines of a scenario that are about services which keep data.
func keeper(t *testing.T, d *datadriven.TestData, service cluster.ServiceID) core.Command {
	pod, index := text(d, "pod", ""), int(number(d, "index", 0))
	switch d.Cmd {
	case "release":
		return core.ReleasePlaces{Service: service, Instances: list(d, "instances"), Principal: "services"}
	case "release-leftovers":
		return core.ReleaseLeftovers{Service: service, Principal: "ann"}
	case "restart":
		return core.RestartInstance{Service: service, Pod: pod, Index: index, Task: text(d, "task", "")}
	case "replace":
		return core.RestartInstance{Service: service, Pod: pod, Index: index, Task: text(d, "task", ""), Replace: true}
	case "plan":
		return core.PlanCall{Service: service, Plan: text(d, "plan", ""), Verb: core.Verb(text(d, "verb", "")), Phase: text(d, "phase", ""), Step: text(d, "step", "")}
	case "rollback":
		c := core.RollbackService{Service: service, Generation: number(d, "generation", 0)}
		if d.HasArg("expect") {
			n := number(d, "expect", 0)
			c.Expect = &n
		}
		return c
	case "settle":
		return core.SettleService{Service: service, Generation: number(d, "generation", 0), Principal: "services"}
	}
	return nil
}

// planStep reads plan, step (a key), started and no-return of a run.
func planStep(d *datadriven.TestData) *cluster.PlanStep {
	if !d.HasArg("plan") {
		return nil
	}
	return &cluster.PlanStep{Plan: text(d, "plan", ""), Key: text(d, "step", ""), Started: number(d, "started", 0), NoReturn: d.HasArg("no-return")}
}

// part reads a line of a service's spec:
//
//	pod NAME COUNT [volume=NAME:MB] [path=NAME:PATH] [port=NAME[:PORT]] [task=NAME:GOAL[:AFTER]] [replace-after=MS]
//	run NAME
//	phase PLAN NAME [pod=NAME] [strategy=NAME] [confirm] [gate=RUN] [step=NAME:RUN[:confirm][:no-return]]
//	confirm PLAN
func part(t *testing.T, s *cluster.ServiceSpec, words []string) {
	if len(words) == 0 {
		return
	}
	switch words[0] {
	case "pod":
		s.Pods = append(s.Pods, podPart(t, words))
	case "run":
		s.Runs = append(s.Runs, cluster.RunTemplate{Name: words[1], Task: template("main", cluster.GoalFinish)})
	case "phase":
		ph := phasePart(t, words)
		switch words[1] {
		case cluster.PlanDeploy:
			s.Deploy = append(s.Deploy, ph)
		case cluster.PlanUpdate:
			s.Update = append(s.Update, ph)
		default:
			if n := len(s.Plans); n == 0 || s.Plans[n-1].Name != words[1] {
				s.Plans = append(s.Plans, cluster.PlanSpec{Name: words[1]})
			}
			p := &s.Plans[len(s.Plans)-1]
			p.Phases = append(p.Phases, ph)
		}
	case "confirm":
		s.Plans[len(s.Plans)-1].Confirm = true
	default:
		t.Fatalf("no such part of a service: %s", words[0])
	}
}

func podPart(t *testing.T, words []string) cluster.PodSpec {
	p := cluster.PodSpec{Name: words[1], Count: amountOf(words[2])}
	for _, w := range words[3:] {
		k, v, _ := strings.Cut(w, "=")
		f := append(strings.Split(v, ":"), "", "")
		switch k {
		case "volume":
			p.Volumes = append(p.Volumes, cluster.VolumeSpec{Name: f[0], Size: int64(amountOf(f[1])) << 20, Path: "/" + f[0]})
		case "path":
			p.Volumes[len(p.Volumes)-1].Path = v
		case "task":
			tt := template(f[0], cluster.Goal(f[1]))
			if f[2] != "" {
				tt.After = []string{f[2]}
			}
			p.Tasks = append(p.Tasks, tt)
		case "port":
			p.Tasks[len(p.Tasks)-1].Ports = append(p.Tasks[len(p.Tasks)-1].Ports, cluster.PortSpec{Name: f[0], Port: uint16(amountOf(f[1]))})
		case "replace-after":
			p.Recovery = &cluster.Recovery{ReplaceAfter: cluster.Millis(amountOf(v))}
		default:
			t.Fatalf("no such field of a pod: %s", w)
		}
	}
	return p
}

func phasePart(t *testing.T, words []string) cluster.Phase {
	ph := cluster.Phase{Name: words[2]}
	for _, w := range words[3:] {
		k, v, _ := strings.Cut(w, "=")
		f := strings.Split(v, ":")
		switch k {
		case "pod":
			ph.Pod = v
		case "strategy":
			ph.Strategy = cluster.Strategy(v)
		case "confirm":
			ph.Confirm = true
		case "gate":
			ph.Gate = v
		case "step":
			st := cluster.Step{Name: f[0], Run: f[1]}
			for _, x := range f[2:] {
				st.Confirm, st.NoReturn = st.Confirm || x == "confirm", st.NoReturn || x == "no-return"
			}
			ph.Steps = append(ph.Steps, st)
		default:
			t.Fatalf("no such field of a phase: %s", w)
		}
	}
	return ph
}

// placed fills in what an acceptance has to do with places: lines "PLACE
// instance suffix [ports=name:port] ..." with their operations, which spoil one
// thing each where they say so, and, with "placed", what tasks take of theirs.
func (e *env) placed(d *datadriven.TestData, c core.AcceptOffers) core.AcceptOffers {
	for _, line := range list(d, "places") { // service/instance/suffix[/spoil=value]...
		f := strings.SplitN(line, "/", 4)
		m, ops := e.makePlace(d, c.Agent, f)
		c.Places, c.Operations = append(c.Places, m), append(c.Operations, ops...)
	}
	c.AllOrNone = c.AllOrNone || len(c.Places) > 0 && !d.HasArg("some")
	if !d.HasArg("placed") {
		return c
	}
	held := map[string]bool{}
	for i := range c.Tasks {
		t := &c.Tasks[i]
		svc := e.state.View().Service(t.Service)
		p := svc.Places[core.InstanceKey(t.Pod, t.Index)]
		part := cluster.Reserved{Stack: p.Stack, Resources: cluster.Resources{CPU: t.Resources.CPU, Mem: t.Resources.Mem}}
		if k := string(t.Service) + core.InstanceKey(t.Pod, t.Index); !held[k] {
			held[k] = true
			part.Volumes, part.Resources.Ports = p.Volumes, p.Resources.Ports
			t.Ports = maps.Clone(p.Ports)
		}
		t.Resources, t.Reserved = part.Flat(), cluster.NewReserves(part)
	}
	return c
}

// makePlace is a place with room for a task of 1 CPU and 128 B of memory for each
// task of the pod.
func (e *env) makePlace(d *datadriven.TestData, agent cluster.AgentID, f []string) (core.PlaceFor, []cluster.Operation) {
	service := cluster.ServiceID(f[0])
	i := strings.LastIndexByte(f[1], '-')
	index, _ := strconv.Atoi(f[1][i+1:])
	m := core.PlaceFor{Service: service, Pod: f[1][:i], Index: index}
	p := &m.Place
	p.Agent, p.Stack = agent, stack("services/"+string(service), "dba")
	if svc := e.state.View().Service(service); svc != nil {
		for _, pod := range svc.Spec.Pods {
			if pod.Name == m.Pod {
				fill(p, pod, fmt.Sprintf("%s.%s", service, f[1]), f[2])
			}
		}
	}
	spoiled := map[string]string{}
	for _, x := range f[3:] { // one thing: a role has slashes
		k, v, _ := strings.Cut(x, "=")
		spoiled[k] = v
		switch k {
		case "agent":
			p.Agent = cluster.AgentID(v)
		case "role":
			p.Stack = stack(v, "dba")
		case "size":
			p.Volumes[0].Size = int64(amountOf(v))
		case "id":
			p.Volumes[0].ID = v
		case "port":
			n := uint16(amountOf(v))
			for name, was := range p.Ports { // there is one
				p.Ports[name] = n
				p.Resources.Ports = p.Resources.Ports.Minus(cluster.Port(was)).Union(cluster.Port(n))
			}
		case "noport":
			p.Ports = nil
		}
	}
	whole := p.Resources
	ops := []cluster.Operation{{Kind: cluster.OpReserve, Stack: p.Stack}}
	for _, v := range p.Volumes {
		whole.Disk += v.Size
		ops = append(ops, cluster.Operation{Kind: cluster.OpCreate, Stack: p.Stack, Volume: &v})
	}
	ops[0].Resources = whole
	if _, ok := spoiled["more"]; ok {
		p.Resources.CPU++
	}
	if _, ok := spoiled["fewer"]; ok {
		ops = ops[:len(ops)-1]
	}
	if _, ok := spoiled["extra"]; ok {
		ops = append(ops, ops[0])
	}
	return m, ops
}

func fill(p *cluster.Place, pod cluster.PodSpec, head, suffix string) {
	next := uint16(31000)
	for _, t := range pod.Tasks {
		p.Resources.CPU += 1000
		p.Resources.Mem += 128
		for _, port := range t.Ports {
			if p.Ports == nil {
				p.Ports = map[string]uint16{}
			}
			n := port.Port
			if n == 0 {
				n = next
				next++
			}
			p.Ports[port.Name] = n
			p.Resources.Ports = p.Resources.Ports.Union(cluster.Port(n))
		}
	}
	for _, v := range pod.Volumes {
		p.Volumes = append(p.Volumes, cluster.Volume{ID: head + "." + v.Name + "." + suffix, Path: v.Name, Size: v.Size, Principal: "dba"})
	}
}

func showPlaces(b *strings.Builder, v *core.View) {
	line := func(whose, k string, p *cluster.Place) {
		fmt.Fprintf(b, "%s %s on %s (%s) for %s: %s ports %v", whose, k, p.Agent, p.Host, p.Stack.Role(), p.Resources, p.Ports)
		for _, vol := range p.Volumes {
			fmt.Fprintf(b, " %s", vol.ID)
		}
		b.WriteByte('\n')
	}
	for s := range v.Services() {
		for _, k := range sorted(s.Places) {
			line(string(s.Spec.ID), k, s.Places[k])
		}
		for k, in := range v.Instances(s.Spec.ID) {
			if in.Replace {
				fmt.Fprintf(b, "%s %s waits for another place\n", s.Spec.ID, k)
			}
		}
	}
	for l := range v.Leftovers() {
		for _, k := range sorted(l.Places) {
			line("left by "+string(l.Service), k, l.Places[k])
		}
	}
}

func showPlans(b *strings.Builder, v *core.View) {
	for s := range v.Services() {
		fmt.Fprintf(b, "%s generation %d settled %d", s.Spec.ID, s.Generation, s.Settled)
		if s.NoReturn > 0 {
			fmt.Fprintf(b, " no return before %d by %s", s.NoReturn, s.NoReturnBy)
		}
		for _, r := range s.History {
			fmt.Fprintf(b, "; before: %d settled=%t", r.Generation, r.Settled)
			if r.Installation != nil {
				fmt.Fprintf(b, " package=%s", r.Installation.Package)
			}
		}
		b.WriteByte('\n')
		for _, name := range sorted(s.Plans) {
			p := s.Plans[name]
			fmt.Fprintf(b, "  %s started at %d for %d", name, p.Started, p.Generation)
			for _, f := range []struct {
				name string
				is   bool
			}{{"paused", p.Paused}, {"stopped", p.Stopped}, {"ended", p.Ended > 0}, {fmt.Sprintf("back to %d", p.Back), p.Back > 0}} {
				if f.is {
					b.WriteString(" " + f.name)
				}
			}
			fmt.Fprintf(b, " words %q forced %q done %q tries %v runs %v\n", sorted(p.Words), sorted(p.Forced), sorted(p.Done), p.Tries, p.Runs)
		}
	}
}
