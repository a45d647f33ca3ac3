package spec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// anyCount stands for the count of a pod that is not known in the static pass.
const anyCount = MaxInstances + 1

// podKeys are the keys of a pod.
var podKeys = []string{"name", "count", "placement", "network", "gang", "minReady", "volumes", "recovery", "tasks"}

// podSpec reads a pod. A count that is not known is anyCount.
func (d *decoder) podSpec(n *node, images map[string]string) cluster.PodSpec {
	o := d.object(n, "pod", podKeys...)
	p := cluster.PodSpec{Name: o.name("name", MaxPartName), Count: d.count(o)}
	d.pod = p.Name
	defer func() { d.pod = "" }()
	if pl := o.get("placement"); pl != nil {
		d.placement(pl, &p)
	}
	if nw := o.get("network"); nw != nil {
		p.Network = d.network(nw)
	}
	if g := o.get("gang"); g != nil {
		p.Gang = d.boolean(g)
	}
	if m := o.get("minReady"); m != nil {
		v, known := d.integer(m, 0, MaxInstances)
		p.MinReady = int(v)
		if known && p.Count != anyCount && p.Count > 0 && p.MinReady >= p.Count {
			d.f.at(m.pos, "minReady is %d of %d instances: at least one must be free to go, or none could ever be replaced", v, p.Count)
		}
	}
	if vs := o.get("volumes"); vs != nil {
		p.Volumes = d.volumes(vs)
	}
	if len(p.Volumes) > 0 && p.Gang {
		d.f.at(o.get("gang").pos, "a pod with volumes is no gang: each of its instances comes back where its volumes are")
	}
	if r := o.get("recovery"); r != nil {
		p.Recovery = d.recovery(r, len(p.Volumes) > 0)
	}
	if ts := o.need("tasks"); ts != nil {
		d.tasks(ts, &p, images)
	}
	return p
}

// count reads how many instances a pod has; one when it does not say.
func (d *decoder) count(o *object) int {
	c := o.get("count")
	if c == nil {
		return 1
	}
	v, known := d.integer(c, 0, MaxInstances)
	if !known {
		return anyCount
	}
	return int(v)
}

// countsOf are the counts of pods as expressions see them.
func countsOf(pods []cluster.PodSpec) map[string]any {
	out := map[string]any{}
	for _, p := range pods {
		out[p.Name] = int64(p.Count)
	}
	return out
}

// counts reads the counts of the pods ahead of all else, so that expressions
// can tell an index that is too high. What is wrong with them is told later.
func (d *decoder) counts(root *node) map[string]any {
	quiet := &decoder{f: &faults{}, vars: d.vars}
	out := map[string]any{}
	for _, fl := range root.fields {
		if fl.key != "pods" {
			continue
		}
		for _, p := range quiet.list(fl.val, MaxPods) {
			o := quiet.object(p, "pod", podKeys...)
			name := o.text("name", false)
			if c := quiet.count(o); c != anyCount {
				out[name] = int64(c)
			}
		}
	}
	return out
}

// tasks reads the tasks of a pod.
func (d *decoder) tasks(ts *node, p *cluster.PodSpec, images map[string]string) {
	ports := newPortSet(d, p.Network != "")
	list := d.list(ts, MaxTasks)
	for _, t := range list {
		task := d.taskTemplate(t, "task", images, ports)
		if task.Name != "" && hasTask(p, task.Name) {
			d.f.at(t.pos, "task %q stands twice in pod %q", task.Name, p.Name)
		}
		for _, s := range task.Container.Scratch {
			if i := slices.IndexFunc(p.Volumes, func(v cluster.VolumeSpec) bool { return v.Path == s }); i >= 0 {
				d.f.at(t.pos, "task %q has a scratch directory at %s, where volume %q is", task.Name, s, p.Volumes[i].Name)
			}
		}
		p.Tasks = append(p.Tasks, task)
	}
	if len(p.Tasks) == 0 && ts.kind == sequence {
		d.f.at(ts.pos, "a pod has at least one task")
	}
	for i := range p.Tasks {
		if len(p.Tasks[i].After) == 0 {
			continue
		}
		if p.Network != "" {
			d.f.at(list[i].pos, "task %q comes after others, and the pod has a network: tasks that are launched one after the other cannot share one", p.Tasks[i].Name)
		}
		d.checkAfter(list[i].pos, p, i)
	}
}

// checkAfter sees that what a task comes after is there, ends by itself, and
// does not come after the task in turn.
func (d *decoder) checkAfter(at pos, p *cluster.PodSpec, i int) {
	var names []string
	for _, t := range p.Tasks {
		names = append(names, t.Name)
	}
	for _, a := range p.Tasks[i].After {
		k := slices.Index(names, a)
		switch {
		case k < 0:
			d.f.at(at, "%s", didYouMean(fmt.Sprintf("task %q comes after %q, which pod %q has not", names[i], clip(a), p.Name), a, names))
		case p.Tasks[k].Goal == cluster.GoalRunning:
			d.f.at(at, "task %q comes after %q, which never ends: only tasks of goal ONCE or FINISH can come before others", names[i], a)
		case comesAfter(p, k, i, map[int]bool{}):
			d.f.at(at, "task %q comes after %q, which comes after it", names[i], a)
		}
	}
}

// comesAfter reports whether task i of a pod waits for task k, directly or not.
func comesAfter(p *cluster.PodSpec, i, k int, seen map[int]bool) bool {
	if i == k {
		return true
	}
	if seen[i] {
		return false
	}
	seen[i] = true
	for _, a := range p.Tasks[i].After {
		j := slices.IndexFunc(p.Tasks, func(t cluster.TaskTemplate) bool { return t.Name == a })
		if j >= 0 && comesAfter(p, j, k, seen) {
			return true
		}
	}
	return false
}

// network reads the name of a network of the agents.
func (d *decoder) network(n *node) string {
	s, known := d.str(n, false)
	if known && s != "" && !validName(s, catalog.MaxNameBytes) {
		d.f.at(n.pos, "network is %q: want the name of a network of the agents, such as %s", clip(s), cluster.DefaultNetwork)
	}
	if !known {
		return cluster.DefaultNetwork // some network, for the checks of the ports
	}
	return s
}

func (d *decoder) volumes(n *node) []cluster.VolumeSpec {
	var out []cluster.VolumeSpec
	for _, vn := range d.list(n, MaxVolumes) {
		o := d.object(vn, "volume", "name", "size", "path")
		v := cluster.VolumeSpec{Name: o.name("name", MaxPartName)}
		if s := o.need("size"); s != nil {
			mb, _ := d.integer(s, 1, MaxMiB)
			v.Size = mb * mib
		}
		if p := o.need("path"); p != nil {
			if v.Path = d.absPath(p, "the path of a volume"); v.Path == "/" {
				d.f.at(p.pos, "a volume cannot be at the root")
			}
		}
		for _, w := range out {
			if w.Name == v.Name && v.Name != "" {
				d.f.at(vn.pos, "volume %q stands twice", v.Name)
			} else if v.Path != "" && (within(v.Path, w.Path) || within(w.Path, v.Path)) {
				d.f.at(vn.pos, "volume %q at %s lies in volume %q at %s, or the other way about", v.Name, v.Path, w.Name, w.Path)
			}
		}
		out = append(out, v)
	}
	return out
}

// within reports whether a path is another one or below it.
func within(path, of string) bool { return of != "" && (path == of || strings.HasPrefix(path, of+"/")) }

func (d *decoder) recovery(n *node, volumes bool) *cluster.Recovery {
	o := d.object(n, "recovery", "replaceAfter")
	r := &cluster.Recovery{}
	if a := o.need("replaceAfter"); a != nil {
		r.ReplaceAfter = d.span(a, time.Second, MaxReplaceAfter)
	}
	if !volumes && !o.open {
		d.f.at(n.pos, "recovery is for pods with volumes: an instance without goes to another agent by itself")
	}
	return r
}
