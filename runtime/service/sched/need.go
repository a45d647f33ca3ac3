package sched

import (
	"strconv"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// The range from which ports are given that have no number of their own: the
// one that Mesos agents offer by default. Ports outside of it are left to those
// who name them, and used only when none of these is free.
const (
	DynamicPortLo = 31000
	DynamicPortHi = 32000
)

var outsideDynamic = cluster.Ports{{Lo: 0, Hi: DynamicPortLo - 1}, {Lo: DynamicPortHi + 1, Hi: 65535}}

// Need is what a group of tasks takes on an agent.
type Need struct {
	Resources cluster.Resources // scalars and the ports that have a number
	Dynamic   int               // how many ports are wanted besides, any that is offered
}

// NeedOf sums up the tasks of a group.
func NeedOf(tasks []cluster.TaskTemplate) Need {
	var n Need
	for i := range tasks {
		n.Resources = n.Resources.Plus(tasks[i].Resources)
		for _, p := range tasks[i].Ports {
			if p.Port == 0 {
				n.Dynamic++
				continue
			}
			n.Resources.Ports = n.Resources.Ports.Union(cluster.Port(p.Port))
		}
	}
	return n
}

// Missing is what have lacks for the need; nil means it fits.
func (n Need) Missing(have cluster.Resources) []cluster.Shortfall {
	out := cluster.Fits(have, n.Resources)
	if n.Dynamic == 0 {
		return out
	}
	free := have.Ports.Minus(n.Resources.Ports).Len()
	if free < n.Dynamic {
		out = append(out, cluster.Shortfall{Resource: "ports", Have: strconv.Itoa(free) + " free", Need: strconv.Itoa(n.Dynamic)})
	}
	return out
}

// Claim is what one task of a group got: its resources with the concrete ports,
// the ports by name, and what of the resources is out of reservations.
type Claim struct {
	Resources cluster.Resources
	Reserved  cluster.Reserves
	Ports     map[string]uint16
}

// Pool is what the claim takes, by what it is taken out of.
func (c *Claim) Pool() cluster.Pool {
	return (&cluster.TaskSpec{Resources: c.Resources, Reserved: c.Reserved}).Pool()
}

// Assign gives each task its ports out of free. Seed spreads the choice of
// dynamic ports, so that a port that was just released is not at once another's.
// It reports false when free has too few.
func Assign(free cluster.Ports, tasks []cluster.TaskTemplate, seed uint64) ([]Claim, bool) {
	n := NeedOf(tasks)
	if !free.Contains(n.Resources.Ports) {
		return nil, false
	}
	var dynamic []uint16
	if n.Dynamic > 0 {
		rest := free.Minus(n.Resources.Ports)
		pool := rest.Minus(outsideDynamic)
		if pool.Len() < n.Dynamic {
			pool = rest
		}
		if pool.Len() < n.Dynamic {
			return nil, false
		}
		dynamic = pick(pool, n.Dynamic, seed)
	}
	claims := make([]Claim, len(tasks))
	for i := range tasks {
		c := Claim{Resources: tasks[i].Resources}
		var ranges []cluster.PortRange
		for _, p := range tasks[i].Ports {
			port := p.Port
			if port == 0 {
				port, dynamic = dynamic[0], dynamic[1:]
			}
			if c.Ports == nil {
				c.Ports = make(map[string]uint16, len(tasks[i].Ports))
			}
			c.Ports[p.Name] = port
			ranges = append(ranges, cluster.PortRange{Lo: port, Hi: port})
		}
		c.Resources.Ports = cluster.NewPorts(ranges...)
		claims[i] = c
	}
	return claims, true
}

// Without is ports but for n of them, those that Assign gives for no number.
func Without(ports cluster.Ports, n int) cluster.Ports {
	if n == 0 {
		return ports
	}
	pool := ports.Minus(outsideDynamic)
	if pool.Len() < n {
		pool = ports
	}
	var taken []cluster.PortRange
	for _, p := range pick(pool, n, 0) {
		taken = append(taken, cluster.PortRange{Lo: p, Hi: p})
	}
	return ports.Minus(cluster.NewPorts(taken...))
}

// pick takes n ports of pool, following each other from a place that seed names.
func pick(pool cluster.Ports, n int, seed uint64) []uint16 {
	total := uint64(pool.Len())
	start := seed % total
	out := make([]uint16, 0, n)
	for i := range uint64(n) {
		out = append(out, nth(pool, int((start+i)%total)))
	}
	return out
}

func nth(pool cluster.Ports, n int) uint16 {
	for _, r := range pool {
		size := int(r.Hi) - int(r.Lo) + 1
		if n < size {
			return r.Lo + uint16(n)
		}
		n -= size
	}
	return 0 // not reached: n < pool.Len()
}
