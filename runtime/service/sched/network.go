package sched

import (
	"cmp"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Network gives the network that a group of tasks shares, with all of its ports,
// and for each task the ports to bind there by name; a port that names none is
// the same inside as on the agent. Without a name it is nil: the group is on its
// agent's own network.
func Network(name string, tasks []cluster.TaskTemplate, claims []Claim) (*cluster.Network, []map[string]uint16) {
	listen := make([]map[string]uint16, len(tasks))
	if name == "" {
		return nil, listen
	}
	n := &cluster.Network{Name: name}
	for i := range tasks {
		for _, p := range tasks[i].Ports {
			host := claims[i].Ports[p.Name]
			inside := cmp.Or(p.Listen, host)
			if listen[i] == nil {
				listen[i] = make(map[string]uint16, len(tasks[i].Ports))
			}
			listen[i][p.Name] = inside
			n.Ports = append(n.Ports, cluster.PortMapping{Host: host, Container: inside})
		}
	}
	slices.SortFunc(n.Ports, func(a, b cluster.PortMapping) int { return cmp.Compare(a.Host, b.Host) })
	return n, listen
}
