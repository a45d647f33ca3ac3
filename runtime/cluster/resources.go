package cluster

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Resources is an amount of what an agent has and a task uses. CPU, memory,
// disk and ports are what nearly everything asks for: reckoning with them alone
// allocates nothing.
type Resources struct {
	CPU   int64 `json:"cpu_milli,omitempty"`  // thousandths of a core
	Mem   int64 `json:"mem_bytes,omitempty"`  // bytes
	Disk  int64 `json:"disk_bytes,omitempty"` // bytes
	Ports Ports `json:"ports,omitempty"`      // host ports
	GPUs  int64 `json:"gpus,omitempty"`       // whole devices
	Extra Extra `json:"extra,omitempty"`      // resources with names of their own
}

// PortRange is the host ports Lo to Hi, both included.
type PortRange struct {
	Lo uint16 `json:"lo"`
	Hi uint16 `json:"hi"`
}

// Ports is a set of host ports in canonical form: ranges sorted, disjoint and
// not touching. The nil value is the empty set. Treat it as immutable.
type Ports []PortRange

// Port is the set of the one port p.
func Port(p uint16) Ports { return Ports{{p, p}} }

// NewPorts makes the canonical set of any ranges; a range with Lo > Hi is empty.
func NewPorts(ranges ...PortRange) Ports {
	rs := make([]PortRange, 0, len(ranges))
	for _, r := range ranges {
		if r.Lo <= r.Hi {
			rs = append(rs, r)
		}
	}
	sort.Slice(rs, func(i, j int) bool { return rs[i].Lo < rs[j].Lo })
	var out Ports
	for _, r := range rs {
		if n := len(out); n > 0 && int(r.Lo) <= int(out[n-1].Hi)+1 {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Union is the ports in p or o.
func (p Ports) Union(o Ports) Ports {
	if len(p) == 0 {
		return o
	}
	if len(o) == 0 {
		return p
	}
	return NewPorts(append(append(make([]PortRange, 0, len(p)+len(o)), p...), o...)...)
}

// Minus is the ports in p and not in o.
func (p Ports) Minus(o Ports) Ports {
	if len(p) == 0 || len(o) == 0 {
		return p
	}
	var out Ports
	j := 0
	for _, r := range p {
		lo, hi := int(r.Lo), int(r.Hi)
		for j < len(o) && int(o[j].Hi) < lo {
			j++
		}
		for k := j; k < len(o) && int(o[k].Lo) <= hi; k++ {
			if int(o[k].Lo) > lo {
				out = append(out, PortRange{uint16(lo), o[k].Lo - 1})
			}
			lo = int(o[k].Hi) + 1
		}
		if lo <= hi {
			out = append(out, PortRange{uint16(lo), uint16(hi)})
		}
	}
	return out
}

// Contains reports whether every port of o is in p.
func (p Ports) Contains(o Ports) bool {
	i := 0
	for _, r := range o {
		for i < len(p) && p[i].Hi < r.Lo {
			i++
		}
		if i == len(p) || p[i].Lo > r.Lo || p[i].Hi < r.Hi {
			return false
		}
	}
	return true
}

// Len is the number of ports.
func (p Ports) Len() int {
	n := 0
	for _, r := range p {
		n += int(r.Hi) - int(r.Lo) + 1
	}
	return n
}

// String is the Mesos text form, "[31000-32000,8080]".
func (p Ports) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, r := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		if r.Lo == r.Hi {
			fmt.Fprintf(&b, "%d", r.Lo)
		} else {
			fmt.Fprintf(&b, "%d-%d", r.Lo, r.Hi)
		}
	}
	b.WriteByte(']')
	return b.String()
}

// Plus is r and o together.
func (r Resources) Plus(o Resources) Resources {
	return Resources{CPU: r.CPU + o.CPU, Mem: r.Mem + o.Mem, Disk: r.Disk + o.Disk, Ports: r.Ports.Union(o.Ports),
		GPUs: r.GPUs + o.GPUs, Extra: r.Extra.plus(o.Extra)}
}

// Minus is what is left of r without o. A scalar can become negative: callers
// that must not overdraw ask Fits first.
func (r Resources) Minus(o Resources) Resources {
	return Resources{CPU: r.CPU - o.CPU, Mem: r.Mem - o.Mem, Disk: r.Disk - o.Disk, Ports: r.Ports.Minus(o.Ports),
		GPUs: r.GPUs - o.GPUs, Extra: r.Extra.minus(o.Extra)}
}

// IsZero reports whether r is nothing.
func (r Resources) IsZero() bool {
	return r.CPU == 0 && r.Mem == 0 && r.Disk == 0 && r.GPUs == 0 && len(r.Ports) == 0 && len(r.Extra) == 0
}

// Equal reports whether r and o are the same amounts.
func (r Resources) Equal(o Resources) bool {
	return r.CPU == o.CPU && r.Mem == o.Mem && r.Disk == o.Disk && r.GPUs == o.GPUs &&
		slices.Equal(r.Ports, o.Ports) && r.Extra.equal(o.Extra)
}

// Overlaps reports whether r and o have a port, a set's item or a number of a
// range in common: things of which there is one.
func (r Resources) Overlaps(o Resources) bool {
	return r.Ports.Union(o.Ports).Len() != r.Ports.Len()+o.Ports.Len() || r.Extra.overlaps(o.Extra)
}

// String is a short text for people: "1.5 cpus, 512.0 MiB, ports [8080]".
func (r Resources) String() string {
	parts := []string{fmt.Sprintf("%g cpus", float64(r.CPU)/1000), Bytes(r.Mem) + " mem"}
	if r.Disk != 0 {
		parts = append(parts, Bytes(r.Disk)+" disk")
	}
	if r.GPUs != 0 {
		parts = append(parts, fmt.Sprintf("%d gpus", r.GPUs))
	}
	if len(r.Ports) > 0 {
		parts = append(parts, "ports "+r.Ports.String())
	}
	for _, n := range r.Extra {
		parts = append(parts, n.Name+" "+n.amount())
	}
	return strings.Join(parts, ", ")
}

// Bytes prints an amount of bytes with a binary unit: "512 MiB", "1.5 GiB".
func Bytes(n int64) string {
	const unit = 1024
	if n < unit && n > -unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n), -1
	for (f >= unit || f <= -unit) && i < 5 {
		f /= unit
		i++
	}
	s := fmt.Sprintf("%.1f", f)
	return strings.TrimSuffix(s, ".0") + " " + string("KMGTPE"[i]) + "iB"
}

// Shortfall is one resource of which there is too little.
type Shortfall struct {
	Resource string `json:"resource"` // "cpus", "mem", "disk", "gpus", "ports" or a name; with "(role)" when reserved
	Have     string `json:"have"`     // text for people, with its unit
	Need     string `json:"need"`
}

// String says it in a sentence part: "mem: needs 2 GiB, has 512 MiB".
func (s Shortfall) String() string {
	return fmt.Sprintf("%s: needs %s, has %s", s.Resource, s.Need, s.Have)
}

// Fits reports what of need is missing in have; nil means it fits. It is the
// one definition of fitting: offering, accepting and the agent's admission all
// ask it, so that none of them can promise what another refuses.
func Fits(have, need Resources) []Shortfall {
	// The common case allocates nothing.
	if need.CPU <= have.CPU && need.Mem <= have.Mem && need.Disk <= have.Disk && need.GPUs <= have.GPUs &&
		have.Ports.Contains(need.Ports) && have.Extra.contains(need.Extra) {
		return nil
	}
	var out []Shortfall
	cpus := func(m int64) string { return fmt.Sprintf("%g", float64(m)/1000) }
	if need.CPU > have.CPU {
		out = append(out, Shortfall{"cpus", cpus(have.CPU), cpus(need.CPU)})
	}
	if need.Mem > have.Mem {
		out = append(out, Shortfall{"mem", Bytes(have.Mem), Bytes(need.Mem)})
	}
	if need.Disk > have.Disk {
		out = append(out, Shortfall{"disk", Bytes(have.Disk), Bytes(need.Disk)})
	}
	if need.GPUs > have.GPUs {
		out = append(out, Shortfall{"gpus", fmt.Sprint(have.GPUs), fmt.Sprint(need.GPUs)})
	}
	if !have.Ports.Contains(need.Ports) {
		out = append(out, Shortfall{"ports", have.Ports.String(), need.Ports.String()})
	}
	return append(out, have.Extra.missing(need.Extra)...)
}
