package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

const (
	planAgents = 4
	// planFaults is how long things go wrong, in milliseconds.
	planFaults = 240_000
	// maxPause bounds the time between two operations, in milliseconds.
	maxPause = 15_000
)

// Plan lets chance decide what happens to a cluster: what is asked of it, who
// uses it, what fails, how badly. Then all faults end and it must settle, first
// with the frameworks of outside there, then without them. The same seed is the
// same plan. Every other plan is of services that keep data.
func Plan(seed uint64) []Op {
	p := planner{r: rand.New(rand.NewPCG(seed, 0xc4a05)), wanted: map[string]bool{}}
	if seed%2 == 0 {
		return p.keeping()
	}
	p.racks = 2 + p.r.IntN(2)
	p.addf("agents %d cpus=8 mem=16G racks=%d%s", planAgents, p.racks, p.either(" zones=2"))
	p.addf("faults %s", p.faults())
	p.gangs = p.r.IntN(2) == 0
	p.frameworks()
	if p.r.IntN(3) == 0 {
		p.addf("quota eng cpus=%d limit=%d", 1+p.r.IntN(4), 10+p.r.IntN(10))
	}
	for left := int64(planFaults); left > 0; {
		pause := 1 + p.r.Int64N(maxPause)
		left -= pause
		p.addf("advance %dms", pause)
		p.act()
	}
	p.addf("heal")
	p.addf("settle 1200s")
	p.addf("teardown")
	p.addf("settle 600s")
	return p.ops
}

// planner writes a plan.
type planner struct {
	r      *rand.Rand
	ops    []Op
	wanted map[string]bool // services
	names  []string        // of frameworks
	runs   int
	racks  int
	gangs  bool // there are gangs
	lost   bool // a machine was lost for ever
	kept   bool // services keep data
}

func (p *planner) addf(format string, args ...any) {
	op, err := ParseOp(fmt.Sprintf(format, args...))
	if err != nil {
		panic("sim: plan: " + err.Error()) // only the texts of this file come here
	}
	p.ops = append(p.ops, op)
}

// faults draws which kinds of faults this run has at all, and how bad they are.
func (p *planner) faults() string {
	some := func(key string, most float64) string {
		if p.r.IntN(2) == 0 {
			return ""
		}
		return fmt.Sprintf(" %s=%.4f", key, p.r.Float64()*most)
	}
	out := some("loss", 0.2) + some("duplicate", 0.2) + some("taskcrash", 0.5) + some("mastercrash", 0.02) + some("latehello", 0.5)
	out += fmt.Sprintf(" delay=%dms", 1+p.r.Int64N(2000))
	if p.r.IntN(2) == 0 {
		out += fmt.Sprintf(" sync=%dms", 1+p.r.Int64N(500))
	}
	return strings.TrimSpace(out)
}

// frameworks draws who else uses the cluster: each kind in every other run or
// so. Those that hold offers for long have a role of their own: what they hold
// counts as their role's, and it would be fair to let its services starve.
func (p *planner) frameworks() {
	for _, kind := range Kinds {
		if kind == Scripted || p.r.IntN(5) < 2 {
			continue
		}
		name, role := fmt.Sprintf("%s-%d", kind, len(p.names)+1), ""
		switch {
		case kind == Slow || kind == Hoarding:
			role = " role=outside"
		case kind == Stateful || p.r.IntN(2) == 0:
			role = " role=eng"
		}
		p.names = append(p.names, name)
		p.addf("framework %s %s%s", name, kind, role)
		if kind == Stateful && p.r.IntN(2) == 0 {
			p.names = append(p.names, "keeper")
			p.addf("framework keeper stateful role=%s", []string{"eng", "eng/deep", "outside"}[p.r.IntN(3)])
		}
	}
}

// act does one thing.
func (p *planner) act() {
	agent, down := 1+p.r.IntN(planAgents), p.r.Int64N(60_000)
	service := []string{"s0", "s1", "s2"}[p.r.IntN(3)]
	kind := p.r.IntN(21)
	if p.kept && (kind < 5 || kind == 18 || kind == 19) {
		kind = 7 + p.r.IntN(8) // it has services of its own
	}
	switch kind {
	case 0, 1, 2, 3:
		p.wanted[service] = true
		p.service(service)
	case 4:
		if p.r.IntN(4) == 0 {
			service = "bulk"
		}
		if p.wanted[service] {
			p.wanted[service] = false
			p.addf("remove %s", service)
		}
	case 5, 6:
		if p.wanted[service] {
			p.runs++
			p.addf("job r%d service=%s", p.runs, service)
		}
	case 7:
		p.addf("crash master %dms", down)
	case 8:
		p.addf("crash a%d %dms", agent, down)
	case 9:
		p.addf("reboot a%d %dms%s", agent, down, p.either(" wipe"))
	case 10:
		p.addf("cut a%d%s", agent, p.either(" one-way"))
	case 11:
		p.addf("mend")
	case 12:
		p.addf("kill-container a%d %d", agent, p.r.IntN(5))
	case 13:
		p.addf("kill-task %d", p.r.IntN(100))
	case 14:
		p.addf("skew a%d %ds", agent, p.r.IntN(7200)-3600)
	case 15:
		p.addf("partition a%d%s | rest", agent, p.either(fmt.Sprintf(",a%d", 1+agent%planAgents)))
	case 16:
		p.addf("%s a%d %dms", []string{"drain", "maintenance"}[p.r.IntN(2)], agent, down)
	case 17:
		p.addf("reactivate a%d", agent)
	case 18, 19:
		p.bulk()
	case 20:
		if len(p.names) > 0 {
			name := p.names[p.r.IntN(len(p.names))]
			if p.r.IntN(2) == 0 {
				p.addf("crash %s %dms", name, 2*down)
			} else {
				p.addf("cut %s%s", name, p.either(" one-way"))
			}
		}
	}
}

// either is a text or nothing.
func (p *planner) either(text string) string {
	if p.r.IntN(2) == 0 {
		return ""
	}
	return text
}

// bulk draws a service that is more than there is room for beside the others: it
// has to give way. It has a role of its own where frameworks share the default
// one, since its share would count against the services there.
func (p *planner) bulk() {
	p.wanted["bulk"] = true
	p.addf("service bulk pods=(filler:%d%s) cpus=2 mem=256M image=%02d priority=-1 preemptible role=bulk", 2+p.r.IntN(14), p.either(":keep1"), p.r.IntN(2))
}

// service draws a spec. All of them together fit into the cluster, and all their
// rules can hold there.
func (p *planner) service(id string) {
	count := p.r.IntN(4)
	workers := fmt.Sprintf("worker:%d:follow%s%s", count, p.either(":bridge"), p.rule(count))
	if p.r.IntN(3) == 0 {
		workers += ":once"
	}
	role := p.either(" role=eng")
	switch p.r.IntN(4) {
	case 0:
		if p.gangs {
			workers += ":gang"
		}
	case 1:
		workers += ":serial"
	case 2:
		if count > 1 {
			workers += fmt.Sprintf(":keep%d", 1+p.r.IntN(count-1))
		}
	}
	p.addf("service %s%s pods=(head:1,%s) cpus=0.5 mem=256M image=%02d%s%s%s", id, p.either(" readiness"), workers, p.r.IntN(3), role,
		[]string{"", " priority=1", " priority=2"}[p.r.IntN(3)], p.either(" preemptible"))
}

// rule draws where the instances of a pod may be.
func (p *planner) rule(count int) string {
	rules := []string{"", ":unique", ":rack/GROUP_BY", ":unique:rack/GROUP_BY/2", ":@hostname/MAX_PER/2", ":@hostname/UNIQUE",
		":rack/CLUSTER", ":rack/CLUSTER/r1", ":rack/IS/r0", ":rack/LIKE/r[01]", ":rack/UNLIKE/r0", ":rack/UNLIKE/r0:@hostname/GROUP_BY"}
	if count <= p.racks {
		rules = append(rules, ":rack/UNIQUE")
	}
	return rules[p.r.IntN(len(rules))]
}
