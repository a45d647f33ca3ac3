package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sortedValues(m map[string]cluster.ServiceID) []cluster.ServiceID {
	return slices.Compact(slices.Sorted(maps.Values(m)))
}

func findPod(s cluster.ServiceSpec, name string) *cluster.PodSpec {
	for i := range s.Pods {
		if s.Pods[i].Name == name {
			return &s.Pods[i]
		}
	}
	return nil
}

// podChanges compares two specs of a service, pod by pod. Pods that stay as
// they are are not listed.
func podChanges(old, new cluster.ServiceSpec) []PodChange {
	var out []PodChange
	for i := range new.Pods {
		p := &new.Pods[i]
		was := findPod(old, p.Name)
		if was == nil {
			out = append(out, PodChange{Pod: p.Name, Kind: ChangeAdd, To: p.Count})
			continue
		}
		if c, differs := podChange(was, p); differs {
			out = append(out, c)
		}
	}
	for _, p := range old.Pods {
		if findPod(new, p.Name) == nil {
			out = append(out, PodChange{Pod: p.Name, Kind: ChangeRemove, From: p.Count})
		}
	}
	return out
}

// reasons collects what differs.
type reasons struct {
	task string
	list []Reason
}

// is adds a reason when two values differ; the detail says how.
func (r *reasons) is(what string, a, b any, detail string) {
	if !equalJSON(a, b) {
		r.list = append(r.list, Reason{Task: r.task, What: what, Detail: detail})
	}
}

// podChange compares two specs of a pod. What restarts its instances is what
// they are made of: tasks, network, volumes; the rest is rules for later.
func podChange(old, new *cluster.PodSpec) (PodChange, bool) {
	c := PodChange{Pod: new.Name, Kind: ChangeRules, From: old.Count, To: new.Count}
	var r reasons
	for i := range new.Tasks {
		t := &new.Tasks[i]
		k := slices.IndexFunc(old.Tasks, func(o cluster.TaskTemplate) bool { return o.Name == t.Name })
		if r.task = t.Name; k < 0 {
			r.is("task", nil, t.Name, "new")
			continue
		}
		r.compare(&old.Tasks[k], t)
	}
	for _, t := range old.Tasks {
		if !slices.ContainsFunc(new.Tasks, func(o cluster.TaskTemplate) bool { return o.Name == t.Name }) {
			r.list = append(r.list, Reason{Task: t.Name, What: "task", Detail: "gone"})
		}
	}
	r.task = ""
	if len(r.list) == 0 {
		r.is("tasks", old.Tasks, new.Tasks, "their order")
	}
	r.is("network", old.Network, new.Network, arrow(cmp.Or(old.Network, "the agent's"), cmp.Or(new.Network, "the agent's")))
	r.is("volumes", old.Volumes, new.Volumes, "")
	// What the runtime starts anew is what it would make from another template.
	restart := sched.TemplateHash(old.Tasks, old.Network, old.Volumes...) != sched.TemplateHash(new.Tasks, new.Network, new.Volumes...)
	r.is("count", old.Count, new.Count, arrow(strconv.Itoa(old.Count), strconv.Itoa(new.Count)))
	scale := old.Count != new.Count
	r.is("placement", []any{old.Unique, old.Placement}, []any{new.Unique, new.Placement}, "")
	r.is("recovery", old.Recovery, new.Recovery, "")
	r.is("minReady", old.MinReady, new.MinReady, arrow(strconv.Itoa(old.MinReady), strconv.Itoa(new.MinReady)))
	r.is("gang", old.Gang, new.Gang, "")
	switch c.Reasons = r.list; {
	case restart:
		c.Kind = ChangeRestart
	case scale:
		c.Kind = ChangeScale
	}
	return c, len(r.list) > 0
}

func arrow(a, b string) string { return a + " -> " + b }

// compare lists what differs between two templates of a task. Values of the
// environment and contents of files may be secrets: only their names are told.
func (r *reasons) compare(a, b *cluster.TaskTemplate) {
	x, y := &a.Container, &b.Container
	r.is("image", x.Image, y.Image, arrow(shortImage(x.Image), shortImage(y.Image)))
	r.is("command", x.Command, y.Command, "")
	r.is("env", x.Env, y.Env, changedKeys(x.Env, y.Env))
	r.is("files", x.Files, y.Files, changedKeys(fileMap(x.Files), fileMap(y.Files)))
	r.resources(a.Resources, b.Resources)
	r.is("ports", a.Ports, b.Ports, "")
	r.is("goal", a.Goal, b.Goal, arrow(string(a.Goal), string(b.Goal)))
	r.is("after", a.After, b.After, "")
	r.is("user", x.User, y.User, arrow(x.User, y.User))
	r.is("workdir", x.Workdir, y.Workdir, arrow(x.Workdir, y.Workdir))
	r.is("artifacts", x.Artifacts, y.Artifacts, "")
	r.is("readiness", x.Readiness, y.Readiness, "")
	r.is("health", x.Health, y.Health, "")
	r.is("leader", x.Leader, y.Leader, "")
	r.is("killGrace", x.KillGrace, y.KillGrace, "")
	r.is("container", []any{x.Scratch, x.Rlimits, x.Mounts, x.Volumes, x.ReadOnly, x.CPUQuota}, []any{y.Scratch, y.Rlimits, y.Mounts, y.Volumes, y.ReadOnly, y.CPUQuota}, "scratch, rlimits, readOnly or cpuQuota")
}

func (r *reasons) resources(a, b cluster.Resources) {
	var parts []string
	if a.CPU != b.CPU {
		parts = append(parts, "cpus "+arrow(cpus(a.CPU), cpus(b.CPU)))
	}
	if a.Mem != b.Mem {
		parts = append(parts, "mem "+arrow(fmt.Sprint(cluster.Bytes(a.Mem)), fmt.Sprint(cluster.Bytes(b.Mem))))
	}
	if a.Disk != b.Disk {
		parts = append(parts, "disk "+arrow(fmt.Sprint(cluster.Bytes(a.Disk)), fmt.Sprint(cluster.Bytes(b.Disk))))
	}
	r.is("resources", a, b, strings.Join(parts, ", "))
}

func cpus(milli int64) string { return strconv.FormatFloat(float64(milli)/1000, 'f', -1, 64) }

// shortImage is the last part of an image's repository and the beginning of its
// digest.
func shortImage(ref string) string {
	repo, digest, _ := strings.Cut(ref, "@sha256:")
	return repo[strings.LastIndexByte(repo, '/')+1:] + "@" + digest[:min(len(digest), 12)]
}

func fileMap(files []cluster.File) map[string]string {
	out := map[string]string{}
	for _, f := range files {
		out[f.Path] = fmt.Sprintf("%o %s", f.Mode, f.Content)
	}
	return out
}

// changedKeys lists the keys that are new, gone or have another value.
func changedKeys(a, b map[string]string) string {
	var out []string
	for _, k := range sortedKeys(b) {
		if v, ok := a[k]; !ok {
			out = append(out, "+"+k)
		} else if v != b[k] {
			out = append(out, k)
		}
	}
	for _, k := range sortedKeys(a) {
		if _, ok := b[k]; !ok {
			out = append(out, "-"+k)
		}
	}
	return strings.Join(out, ", ")
}

// checkVolumes refuses what cannot be done to volumes that hold data: they keep
// their size and their path, and no pod that has some gets or loses one.
func checkVolumes(old, new cluster.ServiceSpec) error {
	var wrong []problem.Detail
	fault := func(pod, name, format string, args ...any) {
		wrong = append(wrong, problem.Detail{Pointer: "/pods/" + pod + "/volumes/" + name, Message: fmt.Sprintf(format, args...)})
	}
	for _, p := range new.Pods {
		was := findPod(old, p.Name)
		if was == nil || was.Count == 0 || len(was.Volumes) == 0 {
			continue // it has no places that could not follow
		}
		for _, v := range p.Volumes {
			i := slices.IndexFunc(was.Volumes, func(o cluster.VolumeSpec) bool { return o.Name == v.Name })
			switch {
			case i < 0:
				fault(p.Name, v.Name, "pod %s has no volume %s, and gets none while it is there", p.Name, v.Name)
			case was.Volumes[i].Size != v.Size:
				fault(p.Name, v.Name, "volume %s of pod %s has %s and cannot get %s in place", v.Name, p.Name, cluster.Bytes(was.Volumes[i].Size), cluster.Bytes(v.Size))
			case was.Volumes[i].Path != v.Path:
				fault(p.Name, v.Name, "volume %s of pod %s is at %s and cannot come to %s in place", v.Name, p.Name, was.Volumes[i].Path, v.Path)
			}
		}
		for _, v := range was.Volumes {
			if !slices.ContainsFunc(p.Volumes, func(o cluster.VolumeSpec) bool { return o.Name == v.Name }) {
				fault(p.Name, v.Name, "volume %s of pod %s would be given up with its data", v.Name, p.Name)
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return problem.New(problem.Invalid, "service %s: %s", new.ID, wrong[0].Message).WithDetails(wrong...).
		WithHint("keep the options that say so as they are; or install a second service with the new ones and move the data: dcos package install %s --id NEW; or scale the pod to 0 and release its places, with which the data goes", new.Package)
}
