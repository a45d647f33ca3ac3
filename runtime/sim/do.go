package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// maxActors bounds the agents or frameworks of one operation.
const maxActors = 10_000

// verbs are the operations. X stands for an agent, a framework, or "of=web.p-0":
// the agent that instance is on.
//
//	agents 3 cpus=8 mem=32G zones=2    makes agents, here in two zones, and waits a second; racks=2: with an attribute
//	framework f1 greedy role=eng       makes a framework of a kind; "reuse": it uses names of volumes again
//	operate f1 reserve create task     has a scripted one use an offer; see doOperate
//	faults loss=0.1 duplicate=0.1 delay=500ms taskcrash=0.2 mastercrash=0.01 sync=50ms
//	service web pods=(a:1,b:3:unique)  wants a service; see spec
//	install spark                      wants one of a head and workers that follow it
//	remove web keep · job pi service=web  wants it gone, its data perhaps not · a run of it
//	restart web p 0 · replace web p 0  starts an instance again · gives it another place
//	plan web update confirm p step     says something to a plan
//	rollback web                       wants the spec of before
//	lose a1                            ends a machine for ever, and says so
//	answer                             lets a person say all that plans wait for, from now on
//	uninstall                          wants all services gone with all data
//	advance 30s · settle 60s           lets time pass · until all is as it is wanted
//	crash master 5s · crash X 5s       ends a program, for a while
//	reboot a1 5s wipe                  ends a machine; it may lose its disk
//	cut X one-way · mend               cuts X off, or only what goes to it · mends all
//	partition a1,a2 | a3,master        leaves whole only what is within a group; "rest" are all others
//	skew a1 -30s                       sets a clock
//	drain a3 60s · reactivate a3       empties an agent within a time · takes it back
//	maintenance a3 60s                 plans that it is away from then on
//	quota eng cpus=2 limit=20          guarantees a role cores, and limits them
//	kill-container a1 2 · kill-task 7  ends a process · asks for the end of a task, by number
//	heal · teardown                    ends all faults · ends all frameworks of outside
var verbs = map[string]func(*Sim, Op) error{
	"agents": (*Sim).doAgents, "framework": (*Sim).doFramework, "faults": (*Sim).doFaults, "operate": (*Sim).doOperate,
	"service": (*Sim).doService, "install": (*Sim).doService,
	"remove": func(s *Sim, op Op) error {
		s.Want(core.RemoveService{Service: cluster.ServiceID(op.word(0)), KeepData: op.has("keep"), Principal: "ann"})
		return nil
	},
	"restart": (*Sim).doRestart, "replace": (*Sim).doRestart, "plan": (*Sim).doPlan,
	"rollback": func(s *Sim, op Op) error {
		s.Want(core.RollbackService{Service: cluster.ServiceID(op.word(0)), Principal: "ann"})
		return nil
	},
	"lose":      func(s *Sim, op Op) error { return s.reach(op, func(a *agent) { s.Lose(a.id) }, nil) },
	"answer":    func(s *Sim, _ Op) error { s.Answer(); return nil },
	"uninstall": func(s *Sim, _ Op) error { s.Uninstall(); return nil },
	"job": func(s *Sim, op Op) error {
		s.Want(core.PutRun{Spec: cluster.RunSpec{ID: cluster.RunID(op.word(0)), Service: cluster.ServiceID(op.text("service", "")), Task: driver()}})
		return nil
	},
	"advance": func(s *Sim, op Op) error {
		d, err := span(op.word(0))
		s.Advance(max(0, d))
		return err
	},
	"settle": func(s *Sim, op Op) error {
		d, err := span(op.word(0))
		if err == nil {
			err = s.Settle(d)
		}
		return err
	},
	"crash": (*Sim).doCrash, "reboot": (*Sim).doReboot,
	"cut": (*Sim).doCut, "partition": (*Sim).doPartition,
	"mend": func(s *Sim, _ Op) error { s.mend(); return nil },
	"skew": func(s *Sim, op Op) error {
		d, err := span(op.word(1))
		s.SetSkew(cluster.AgentID(op.word(0)), d)
		return err
	},
	"drain": (*Sim).doDrain, "maintenance": (*Sim).doDrain,
	"reactivate": func(s *Sim, op Op) error {
		s.Want(core.ReactivateAgent{Agent: cluster.AgentID(op.word(0)), Principal: "operator"})
		return nil
	},
	"quota":          (*Sim).doQuota,
	"kill-container": (*Sim).doKillContainer, "kill-task": (*Sim).doKillTask,
	"heal":     func(s *Sim, _ Op) error { s.Heal(); return nil },
	"teardown": func(s *Sim, _ Op) error { s.Teardown(); return nil },
}

// Do does one operation. An error is about the operation itself, or what Err
// says after it.
func (s *Sim) Do(op Op) error {
	do := verbs[op.Verb]
	if do == nil {
		return fmt.Errorf("there is no operation %q", op.Verb)
	}
	if err := do(s, op); err != nil {
		return err
	}
	return s.err
}

// Run does operations in order on a new cluster, until something is broken.
func Run(seed uint64, ops []Op) (*Sim, error) {
	s := New(seed)
	for _, op := range ops {
		if err := s.Do(op); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *Sim) doAgents(op Op) error {
	n, err := strconv.Atoi(op.word(0))
	if err != nil || n < 1 || n > maxActors {
		return fmt.Errorf("%s: %q is not a number of agents", op.Verb, op.word(0))
	}
	cpu, err := cores(op.text("cpus", "4"))
	if err != nil {
		return err
	}
	mem, err := amount(op.text("mem", "8G"))
	if err != nil {
		return err
	}
	for _, p := range []struct {
		key string
		to  *int
	}{{"zones", &s.Zones}, {"racks", &s.Racks}} {
		if *p.to, err = strconv.Atoi(op.text(p.key, "0")); err != nil || *p.to < 0 || *p.to > maxActors {
			return fmt.Errorf("%s: %q is not a number of %s", op.Verb, op.text(p.key, ""), p.key)
		}
	}
	s.AddAgents(n, cluster.Resources{CPU: cpu, Mem: mem, Disk: 1 << 40, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31099})})
	s.Advance(1000)
	return nil
}

func (s *Sim) doFramework(op Op) error {
	kind := Kind(op.word(1))
	if op.word(0) == "" || !slices.Contains(Kinds, kind) || s.guest(cluster.FrameworkID(op.word(0))) != nil {
		return fmt.Errorf("%s: want a new name and one of %v", op, Kinds)
	}
	role := cluster.Role(op.text("role", string(cluster.DefaultRole)))
	if (kind == Stateful || kind == Scripted) && role == cluster.DefaultRole {
		return fmt.Errorf("%s: nothing can be reserved for role %s", op, role)
	}
	s.AddFramework(cluster.FrameworkID(op.word(0)), kind, role).reuse = op.has("reuse")
	return nil
}

func (s *Sim) doFaults(op Op) error {
	var f Faults
	for _, p := range []struct {
		key string
		to  *float64
	}{{"loss", &f.Loss}, {"duplicate", &f.Duplicate}, {"latehello", &f.LateHello}, {"taskcrash", &f.TaskCrash}, {"mastercrash", &f.MasterCrash}} {
		var err error
		if *p.to, err = op.part(p.key); err != nil {
			return err
		}
	}
	for _, p := range []struct {
		key string
		to  *cluster.Millis
	}{{"delay", &f.MaxDelay}, {"sync", &f.MaxSync}} {
		var err error
		if *p.to, err = span(op.text(p.key, "0s")); err != nil || *p.to < 0 {
			return fmt.Errorf("%s: %s is not a time", op, p.key)
		}
	}
	s.SetFaults(f)
	return nil
}

func (s *Sim) doService(op Op) error {
	sp, err := spec(op)
	if err == nil {
		s.Want(core.PutService{Spec: sp, Over: !op.has("patient"), Principal: "ann"})
	}
	return err
}

func (s *Sim) doCrash(op Op) error {
	down, err := op.lasting(1, 5000)
	if op.list("of") != nil {
		down, err = op.lasting(0, 5000)
	}
	if err != nil || down < 0 {
		return fmt.Errorf("%s: not a time", op)
	}
	if op.word(0) == "master" {
		s.CrashMaster(down)
		return nil
	}
	return s.reach(op, func(a *agent) { s.CrashAgent(a.id, down) }, func(g *guest) { s.CrashFramework(g.id, down) })
}

func (s *Sim) doReboot(op Op) error {
	down, err := op.lasting(0, 5000)
	if err != nil || down < 0 {
		return fmt.Errorf("%s: not a time", op)
	}
	return s.reach(op, func(a *agent) { s.Reboot(a.id, down, op.has("wipe")) }, nil)
}

func (s *Sim) doCut(op Op) error {
	return s.reach(op, func(a *agent) { s.Cut(a.id, !op.has("one-way"), true) },
		func(g *guest) { s.CutFramework(g.id, !op.has("one-way"), true) })
}

// reach finds the agent or framework that an operation names.
func (s *Sim) reach(op Op, agent func(*agent), guest func(*guest)) error {
	name := op.word(0)
	if of := op.text("of", ""); of != "" {
		name = ""
		for t := range s.View().Tasks() {
			if t.Active() && strings.HasPrefix(string(t.Spec.ID), of+".") {
				name = string(t.Agent)
			}
		}
	}
	if a := s.agent(cluster.AgentID(name)); a != nil {
		agent(a)
		return nil
	}
	if g := s.guest(cluster.FrameworkID(name)); g != nil && guest != nil {
		guest(g)
		return nil
	}
	if s.lost[cluster.AgentID(name)] {
		return nil // there was
	}
	return fmt.Errorf("%s: there is nobody of that name", op)
}

// doPartition leaves whole only the ways between the master and those in its group.
func (s *Sim) doPartition(op Op) error {
	group, n := map[string]int{}, 0
	for _, w := range op.Words {
		if w == "|" {
			n++
			continue
		}
		for _, name := range strings.Split(w, ",") {
			group[name] = n
		}
	}
	rest, ok := group["rest"]
	if n == 0 || !ok {
		return fmt.Errorf("%s: want groups divided by |, and one of them has to be the rest", op)
	}
	of := func(name string) int {
		if g, ok := group[name]; ok {
			return g
		}
		return rest
	}
	master := of("master")
	for _, a := range s.agents {
		cut := of(string(a.id)) != master
		s.Cut(a.id, cut, cut)
	}
	for _, g := range s.guests {
		cut := of(string(g.id)) != master
		s.CutFramework(g.id, cut, cut)
	}
	return nil
}

// doRestart restarts an instance, or gives it another place.
func (s *Sim) doRestart(op Op) error {
	i, err := strconv.Atoi(op.word(2))
	if err != nil {
		return fmt.Errorf("%s: %q is not an index", op, op.word(2))
	}
	s.Want(core.RestartInstance{Service: cluster.ServiceID(op.word(0)), Pod: op.word(1), Index: i, Replace: op.Verb == "replace", Principal: "ann"})
	return nil
}

// doPlan says something to a plan.
func (s *Sim) doPlan(op Op) error {
	s.Want(core.PlanCall{Service: cluster.ServiceID(op.word(0)), Plan: op.word(1), Verb: core.Verb(op.word(2)), Phase: op.word(3), Step: op.word(4), Principal: "ann"})
	return nil
}

// doDrain empties an agent, or plans its maintenance.
func (s *Sim) doDrain(op Op) error {
	d, err := op.lasting(1, 60_000)
	if err != nil || d < 0 {
		return fmt.Errorf("%s: not a time", op)
	}
	id, at := cluster.AgentID(op.word(0)), s.now.Add(d)
	if op.Verb == "maintenance" {
		s.Want(core.PutMaintenance{Agents: []cluster.AgentID{id}, Window: &cluster.Unavailability{Start: at}, Principal: "operator"})
	} else {
		s.Want(core.DrainAgent{Agent: id, Deadline: at, Principal: "operator"})
	}
	return nil
}

func (s *Sim) doQuota(op Op) error {
	least, err := cores(op.text("cpus", "0"))
	if err != nil {
		return err
	}
	q := cluster.Quota{Role: cluster.Role(op.word(0)), Guarantee: cluster.Scalars{CPU: least}}
	if most := op.text("limit", ""); most != "" {
		cpu, err := cores(most)
		if err != nil {
			return err
		}
		q.Limit = &cluster.Scalars{CPU: cpu, Mem: cluster.Unlimited, Disk: cluster.Unlimited, GPUs: cluster.Unlimited}
	}
	s.Want(core.PutQuota{Quotas: []cluster.Quota{q}, Principal: "operator"})
	return nil
}

func (s *Sim) doKillContainer(op Op) error {
	of := op.text("of", "")
	if of == "" {
		n, err := strconv.Atoi(op.word(1))
		s.KillContainer(cluster.AgentID(op.word(0)), n)
		return err
	}
	for _, a := range s.agents {
		for _, t := range a.order {
			if t.alive && strings.HasPrefix(string(t.spec.ID), of+".") {
				a.exit(t, 137)
				return nil
			}
		}
	}
	return fmt.Errorf("%s: no process of it runs", op)
}

// doKillTask asks for the end of some active task, as an operator does.
func (s *Sim) doKillTask(op Op) error {
	n, err := strconv.Atoi(op.word(0))
	if err != nil || n < 0 {
		return fmt.Errorf("%s: not a number", op)
	}
	var active []cluster.TaskID
	for t := range s.View().Tasks() {
		if t.Active() {
			active = append(active, t.Spec.ID)
		}
	}
	if len(active) > 0 {
		s.Want(core.KillTask{Task: active[n%len(active)], Principal: "operator"})
	}
	return nil
}
