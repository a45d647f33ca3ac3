package sim

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// TestScenarios runs the files of testdata. Who runs where is chance of the
// seed, so the output names instances and not agents.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		sc := &scenario{Sim: New(1)}
		sc.watch = sc.see
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := sc.run(d)
			if err == nil {
				err = sc.Err()
			}
			if err != nil {
				t.Fatalf("%s: SEED=1 %v", d.Pos, err)
			}
			return out
		})
	})
}

// scenario runs the lines of a file.
type scenario struct {
	*Sim
	events []string // since the last time they were asked for
	met    []string // volumes, in the order in which they were printed first
}

// run does what a line says: an operation, or a look at what is.
func (sc *scenario) run(d *datadriven.TestData) (string, error) {
	op := Op{Verb: d.Cmd}
	for _, a := range d.CmdArgs {
		if a.Vals == nil {
			op.Words = append(op.Words, a.Key)
		} else {
			op.Options = append(op.Options, Option{Key: a.Key, Values: a.Vals})
		}
	}
	switch op.Verb {
	case "replay":
		return sc.replay(op, d.Input)
	case "status":
		return sc.status(), nil
	case "why":
		return sc.why(), nil
	case "events":
		out := strings.Join(sc.events, "")
		sc.events = nil
		return out, nil
	case "processes":
		return sc.processes(), nil
	case "places":
		return sc.places(), nil
	case "homes":
		return sc.homes(), nil
	case "plans":
		return sc.plans(), nil
	case "volumes":
		return sc.volumes(), nil
	case "expect":
		return "", sc.expect(op)
	case "offers":
		return sc.offers(cluster.FrameworkID(op.word(0))), nil
	case "settle":
		err := sc.Do(op)
		return sc.status(), err
	}
	return "", sc.Do(op)
}

// replay runs a saved list of operations on a cluster of its own.
func (sc *scenario) replay(op Op, text string) (string, error) {
	seed, err := strconv.ParseUint(op.text("seed", "1"), 10, 64)
	if err != nil {
		return "", err
	}
	ops, err := ParseOps(text)
	if err != nil {
		return "", err
	}
	_, err = Run(seed, ops)
	if err != nil {
		return "", err
	}
	return "ok\n", nil
}

// expect compares how many processes of frameworks, services or at all run.
func (sc *scenario) expect(op Op) error {
	running := 0
	for _, a := range sc.agents {
		for _, t := range a.order {
			if t.alive && (op.word(0) == "" || strings.HasPrefix(string(t.spec.ID), op.word(0)+".")) {
				running++
			}
		}
	}
	if want := op.text("running", ""); strconv.Itoa(running) != want {
		return fmt.Errorf("%s: %d processes run", op, running)
	}
	return nil
}

// offers prints how many offers a framework has not answered.
func (sc *scenario) offers(id cluster.FrameworkID) string {
	n := 0
	for _, o := range sc.master.offered {
		if _, outstanding := sc.master.alloc.Offer(o.ID); outstanding && o.Framework == id {
			n++
		}
	}
	return fmt.Sprintf("%d outstanding\n", n)
}

// see keeps an event as a line, without the launch's suffix.
func (sc *scenario) see(e core.Event) {
	name := string(e.Service)
	if e.Task != "" {
		name = short(string(e.Task))
	} else if e.Run != "" {
		name = string(e.Run)
	}
	line := strings.Join(strings.Fields(fmt.Sprint(e.Kind, " ", name, " ", e.State, " ", e.Reason)), " ")
	if e.Ready {
		line += " ready"
	}
	sc.events = append(sc.events, line+"\n")
}

func short(task string) string { return task[:strings.LastIndexByte(task, '.')] }

// status prints the services and runs.
func (sc *scenario) status() string {
	var b strings.Builder
	for svc := range sc.View().Services() {
		st, _ := service.StatusOf(sc.Now(), sc.View(), svc.Spec.ID)
		fmt.Fprintf(&b, "%s %s, %d of %d ready\n", st.ID, st.State, st.Ready, st.Total)
		for _, p := range st.Pods {
			on := map[cluster.AgentID]bool{}
			for _, in := range p.Instances {
				fmt.Fprintf(&b, "  %s %s\n", in.Name, in.State)
				if in.Agent != "" {
					on[in.Agent] = true
				}
			}
			if p.Unique {
				fmt.Fprintf(&b, "  %s is on %d agents\n", p.Name, len(on))
			}
		}
	}
	for r := range sc.View().Runs() {
		fmt.Fprintf(&b, "%s %s\n", r.Spec.ID, r.State)
	}
	return b.String()
}

// why prints what instances wait for.
func (sc *scenario) why() string {
	var b strings.Builder
	for _, st := range service.Statuses(sc.Now(), sc.View()) {
		for _, p := range st.Pods {
			for _, in := range p.Instances {
				if in.Why != nil {
					fmt.Fprintf(&b, "%s.%s: %s\n", st.ID, in.Name, in.Why.Reason)
				}
			}
		}
	}
	return b.String()
}

// places prints how many instances of each pod are in each rack.
func (sc *scenario) places() string {
	counts := map[string]int{}
	for t := range sc.View().Tasks() {
		if t.Active() {
			counts[fmt.Sprintf("%s.%s in %s", t.Spec.Service, t.Spec.Pod, sc.View().Agent(t.Agent).Info.Attributes["rack"])]++
		}
	}
	var lines []string
	for what, n := range counts {
		lines = append(lines, fmt.Sprintf("%s: %d\n", what, n))
	}
	sort.Strings(lines)
	return strings.Join(lines, "")
}

// homes prints which places instances have; it names them in the order in which
// they were met, since who is where is chance.
func (sc *scenario) homes() string {
	var b strings.Builder
	show := func(id cluster.ServiceID, places map[string]*cluster.Place, what string) {
		for _, k := range slices.Sorted(maps.Keys(places)) {
			vol := places[k].Volumes[0].ID
			i := slices.Index(sc.met, vol)
			if i < 0 {
				i, sc.met = len(sc.met), append(sc.met, vol)
			}
			fmt.Fprintf(&b, "%s.%s has volume %d%s\n", id, k, i+1, what)
		}
	}
	for svc := range sc.View().Services() {
		show(svc.Spec.ID, svc.Places, "")
	}
	for l := range sc.View().Leftovers() {
		show(l.Service, l.Places, ", left over")
	}
	return b.String()
}

// plans prints the plans of all services with their phases.
func (sc *scenario) plans() string {
	var b strings.Builder
	for _, st := range service.Statuses(sc.Now(), sc.View()) {
		for _, p := range st.Plans {
			fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprint(st.ID, " ", p.Name, " ", p.Status, " ", p.WhyText)))
			for _, ph := range p.Phases {
				for _, step := range ph.Steps {
					fmt.Fprintf(&b, "  %s/%s %s %s\n", ph.Name, step.Name, step.Kind, step.Status)
				}
			}
		}
	}
	return b.String()
}

// volumes prints what the master and the agents have of volumes.
func (sc *scenario) volumes() string {
	var b strings.Builder
	for _, a := range sc.agents {
		if rec := sc.View().Agent(a.id); rec != nil {
			for _, r := range rec.Reserved {
				fmt.Fprintf(&b, "%s: reserved for %s are %s, volumes:", a.id, r.Stack, cluster.Bytes(r.Flat().Disk))
				for _, v := range r.Volumes {
					fmt.Fprintf(&b, " %s", v.ID)
				}
				b.WriteByte('\n')
			}
		}
		for _, n := range a.volumeNames() {
			fmt.Fprintf(&b, "%s: has data of %s of %s\n", a.id, n.ID, n.Role)
		}
	}
	return b.String()
}

// processes prints what really runs, whoever knows of it.
func (sc *scenario) processes() string {
	var names []string
	for _, a := range sc.agents {
		for _, t := range a.order {
			if t.alive {
				names = append(names, short(string(t.spec.ID))+"\n")
			}
		}
	}
	sort.Strings(names)
	return strings.Join(names, "")
}
