package sim

import "fmt"

// keeping lets chance decide what happens to services that keep data and go by
// plans. After the faults end all is to be as it is wanted, or to wait for a
// person, who then says what is waited for. In the end everything is uninstalled,
// and nothing may be left.
func (p *planner) keeping() []Op {
	p.racks, p.kept = 2, true
	p.addf("agents %d cpus=8 mem=16G racks=%d%s", planAgents, p.racks, p.either(" zones=2"))
	p.addf("faults %s", p.faults())
	for _, kind := range []Kind{Greedy, Refusing, Lying, Stateful} {
		if p.r.IntN(3) > 0 {
			continue
		}
		role := ""
		if kind == Stateful {
			role = " role=eng"
		}
		p.addf("framework %s %s%s", kind, kind, role)
		p.names = append(p.names, string(kind))
	}
	for left := int64(planFaults); left > 0; {
		pause := 1 + p.r.Int64N(maxPause)
		left -= pause
		p.addf("advance %dms", pause)
		p.keep()
	}
	for _, end := range []string{"heal", "settle 1200s", "answer", "settle 1200s", "uninstall", "teardown", "settle 900s"} {
		p.addf("%s", end)
	}
	return p.ops
}

// keep does one thing.
func (p *planner) keep() {
	id := []string{"s0", "s1", "s2"}[p.r.IntN(3)]
	switch n := p.r.IntN(24); {
	case n < 6:
		p.wanted[id] = true
		p.keeper(id)
	case n < 8 && p.wanted[id]:
		p.wanted[id] = false
		p.addf("remove %s%s", id, p.either(" keep"))
	case n == 8:
		p.addf("%s %s %s %d", []string{"restart", "replace"}[p.r.IntN(2)], id, []string{"head", "worker"}[p.r.IntN(2)], p.r.IntN(3))
	case n < 12:
		p.word(id)
	case n == 12:
		p.addf("rollback %s", id)
	case n == 13 && p.r.IntN(3) == 0 && !p.lost:
		p.lost = true
		p.addf("lose a%d", 1+p.r.IntN(planAgents))
		p.addf("agents 1 cpus=8 mem=16G racks=%d", p.racks)
	case n == 14:
		p.addf("plan s2 repair start")
	default:
		p.act()
	}
}

// word says something to a plan.
func (p *planner) word(id string) {
	plan := []string{"deploy", "update", "repair"}[p.r.IntN(3)]
	phase := []string{"head", "worker", "work"}[p.r.IntN(3)]
	step := []string{"", " init", " final", " one", " two", " head-0", " worker-0", " worker-1"}[p.r.IntN(8)]
	switch verb := []string{"confirm", "confirm", "pause", "resume", "stop", "force-complete", "restart"}[p.r.IntN(7)]; verb {
	case "pause", "resume", "stop":
		p.addf("plan %s %s %s", id, plan, verb)
	default:
		p.addf("plan %s %s %s %s%s", id, plan, verb, phase, step)
	}
}

// keeper draws a spec of a service. What its volumes are is the same each time,
// as that of a pod with places cannot change.
func (p *planner) keeper(id string) {
	count, pods, more := p.r.IntN(4), "", p.either(" patient")
	if p.r.IntN(3) == 0 {
		more += fmt.Sprintf(" deadline=%ds%s", 30+p.r.IntN(90), p.either(" rollback"))
	}
	switch id {
	case "s0":
		pods = fmt.Sprintf("(head:1%s,worker:%d:vol1:once:after:follow%s%s)", p.either(":step"), count, p.either(":serial"), p.either(":unique"))
	case "s1":
		pods = fmt.Sprintf("(head:1:vol1:once,worker:%d:follow:vol2:replace%ds%s%s)", count, 20+p.r.IntN(100), p.either(":gate"), p.either(":unique"))
		more += p.either(" update")
	case "s2":
		pods = fmt.Sprintf("(head:1:vol1:replace60s%s%s,worker:%d:vol1%s%s)", p.either(":step"), p.either(":confirm"), count, p.either(":canary"), p.either(":final"))
		more += " repair" + p.either(" update")
	}
	p.addf("service %s%s pods=%s cpus=0.5 mem=256M image=%02d%s", id, p.either(" readiness"), pods, p.r.IntN(3), more)
}
