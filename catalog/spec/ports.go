package spec

import "github.com/universe-dcos/universe/runtime/cluster"

// portSet reads the ports of the tasks of one pod, which share the host, or a
// network of their own.
type portSet struct {
	d       *decoder
	network bool
	names   map[string]pos
	fixed   map[uint16]pos
	listen  map[uint16]pos
}

func newPortSet(d *decoder, network bool) *portSet {
	return &portSet{d, network, map[string]pos{}, map[uint16]pos{}, map[uint16]pos{}}
}

func (ps *portSet) read(n *node) []cluster.PortSpec {
	var out []cluster.PortSpec
	for _, pn := range ps.d.list(n, MaxPorts) {
		o := ps.d.object(pn, "port", "name", "port", "listen")
		p := cluster.PortSpec{Name: o.name("name", MaxPartName)}
		if first, twice := ps.names[p.Name]; twice && p.Name != "" {
			ps.d.f.at(pn.pos, "port %q stands twice in the pod: first in line %d", p.Name, first.line)
		}
		ps.names[p.Name] = pn.pos
		if num := o.get("port"); num != nil {
			p.Port = ps.number(num, 0, ps.fixed, "host port %d is taken in the same pod: line %d")
		}
		if num := o.get("listen"); num != nil {
			if !ps.network {
				ps.d.f.at(num.pos, "a port listens on a number of its own only in a network: give the pod network: %s", cluster.DefaultNetwork)
			}
			p.Listen = ps.number(num, 1, ps.listen, "port %d of the pod's network is taken in the same pod: line %d")
		}
		out = append(out, p)
	}
	return out
}

// number reads a port that no other one of the pod is; 0 is any.
func (ps *portSet) number(n *node, lo int64, taken map[uint16]pos, message string) uint16 {
	v, known := ps.d.integer(n, lo, 65535)
	if !known || v == 0 {
		return 0
	}
	if first, twice := taken[uint16(v)]; twice {
		ps.d.f.at(n.pos, message, v, first.line)
	}
	taken[uint16(v)] = n.pos
	return uint16(v)
}
