package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// instance is what one instance of a pod takes of an agent, ports apart. Tasks
// that end before others start make room for them: of those the largest counts,
// where it is more than all the others together.
func instance(p *cluster.PodSpec) cluster.Resources {
	early := map[string]bool{}
	for _, t := range p.Tasks {
		for _, a := range t.After {
			early[a] = true
		}
	}
	var all cluster.Resources
	for _, t := range p.Tasks {
		if !early[t.Name] {
			all = all.Plus(t.Resources)
		}
	}
	for _, t := range p.Tasks {
		if early[t.Name] {
			all.CPU, all.Mem, all.Disk = max(all.CPU, t.Resources.CPU), max(all.Mem, t.Resources.Mem), max(all.Disk, t.Resources.Disk)
		}
	}
	for _, v := range p.Volumes {
		all.Disk += v.Size
	}
	return all
}

// attribute is an agent's value of an attribute; empty when it has none.
func attribute(a *cluster.Agent, name string) string {
	var d cluster.Domain
	if a.Domain != nil {
		d = *a.Domain
	}
	switch name {
	case cluster.AttributeHostname:
		return a.Hostname
	case cluster.AttributeRegion:
		return d.Region
	case cluster.AttributeZone:
		return d.Zone
	}
	return a.Attributes[name]
}

// forbids says which placement rule keeps an instance of a pod off an agent,
// with what was placed on trial; "" when none does. A GROUP_BY that could be
// more even is none: it decides among agents that are possible.
func (b *bed) forbids(id cluster.ServiceID, p *cluster.PodSpec, beds []*bed) string {
	for _, c := range p.Placement {
		v := attribute(&b.node.Agent, c.Attribute)
		name := strings.TrimPrefix(c.Attribute, "@")
		if v == "" && c.Operator != cluster.OpUnlike {
			return "it has no " + name
		}
		ok := true
		switch c.Operator {
		case cluster.OpUnique:
			ok = instancesWith(id, p, c.Attribute, v, beds) == 0
		case cluster.OpMaxPer:
			most, err := strconv.Atoi(c.Value)
			ok = err == nil && instancesWith(id, p, c.Attribute, v, beds) < most
		case cluster.OpIs:
			ok = v == c.Value
		case cluster.OpCluster:
			ok = c.Value == "" || v == c.Value
		case cluster.OpLike, cluster.OpUnlike:
			re, err := cluster.CompilePattern(c.Value)
			ok = err == nil && (v != "" && re.MatchString(v)) == (c.Operator == cluster.OpLike)
		}
		if !ok {
			return strings.TrimSpace(fmt.Sprintf("its %s is %q: %s %s", name, v, c.Operator, c.Value))
		}
	}
	return ""
}

// instancesWith counts the instances that were placed on agents with a value.
func instancesWith(id cluster.ServiceID, p *cluster.PodSpec, name, value string, beds []*bed) int {
	n := 0
	for _, o := range beds {
		if attribute(&o.node.Agent, name) == value {
			n += o.has[string(id)+"/"+p.Name]
		}
	}
	return n
}
