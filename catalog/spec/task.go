package spec

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const mib = 1 << 20

// goals are the words for what the ending of a task means.
var goals = []string{string(cluster.GoalRunning), string(cluster.GoalOnce), string(cluster.GoalFinish)}

// taskTemplate reads a task of a pod, or with what == "action task" the task of
// an action, which has no name and always the goal FINISH.
func (d *decoder) taskTemplate(n *node, what string, images map[string]string, ports *portSet) cluster.TaskTemplate {
	keys := []string{"image", "user", "command", "workdir", "resources", "ports", "env", "files", "scratch", "killGrace", "artifacts", "rlimits", "readOnly", "cpuQuota"}
	t := cluster.TaskTemplate{Goal: cluster.GoalFinish}
	inPod := what == "task"
	if inPod {
		keys = append([]string{"name", "goal", "after", "readiness", "health", "leader"}, keys...)
	}
	o := d.object(n, what, keys...)
	if inPod {
		t.Name = o.name("name", MaxPartName)
		t.Goal = cluster.GoalRunning
		if g := o.get("goal"); g != nil {
			if s, known := d.str(g, false); known {
				t.Goal = cluster.Goal(s)
				if !slices.Contains(goals, s) {
					d.f.at(g.pos, "goal is %q: want %s", clip(s), oneOf(goals))
				}
			}
		}
		t.After = d.after(o.get("after"))
	} else {
		t.Name = actionTask
	}
	d.task = t.Name
	defer func() { d.task = "" }()
	t.Resources = d.resources(o.need("resources"))
	if p := o.get("ports"); p != nil {
		t.Ports = ports.read(p)
	}
	t.Container = d.container(o, images)
	if inPod {
		t.Container.Readiness = d.check(o.get("readiness"), "readiness", t.Ports)
		t.Container.Health = d.check(o.get("health"), "health", t.Ports)
		t.Container.Leader = d.check(o.get("leader"), "leader", t.Ports)
	}
	return t
}

// after reads the names of tasks that come before this one.
func (d *decoder) after(n *node) []string {
	var out []string
	for _, a := range d.optionalList(n, MaxTasks) {
		s, known := d.word(a, "a task in after")
		if known && slices.Contains(out, s) {
			d.f.at(a.pos, "task %q stands twice in after", clip(s))
		}
		out = append(out, s)
	}
	return out
}

func (d *decoder) resources(n *node) cluster.Resources {
	var r cluster.Resources
	if n == nil {
		return r
	}
	o := d.object(n, "set of resources", "cpus", "mem", "disk")
	if c := o.need("cpus"); c != nil {
		r.CPU, _ = d.milli(c, MinCPUMilli, MaxCPUMilli)
	}
	if m := o.need("mem"); m != nil {
		v, _ := d.integer(m, MinMemMiB, MaxMiB)
		r.Mem = v * mib
	}
	if k := o.get("disk"); k != nil {
		v, _ := d.integer(k, 0, MaxMiB)
		r.Disk = v * mib
	}
	return r
}

func (d *decoder) container(o *object, images map[string]string) cluster.Container {
	c := cluster.Container{User: DefaultUser}
	if n := o.need("image"); n != nil {
		c.Image = d.image(n, images)
	}
	if n := o.get("user"); n != nil {
		if s, known := d.str(n, false); known {
			c.User = s
			if len(s) > 2*len("4294967295")+1 || !userRE.MatchString(s) {
				d.f.at(n.pos, "user is %q: want \"uid:gid\" or \"uid\" in numbers, such as \"10001:10001\"", clip(s))
			}
		}
	}
	if n := o.get("command"); n != nil {
		for _, e := range d.list(n, MaxCommand) {
			s, _ := d.str(e, true)
			c.Command = append(c.Command, s)
		}
	}
	if n := o.get("workdir"); n != nil {
		c.Workdir = d.absPath(n, "workdir")
	}
	if n := o.get("env"); n != nil {
		c.Env = d.env(n)
	}
	if n := o.get("files"); n != nil {
		c.Files = d.files(n)
	}
	if n := o.get("scratch"); n != nil {
		for _, e := range d.list(n, MaxScratch) {
			if p := d.absPath(e, "a scratch directory"); p == "/" {
				d.f.at(e.pos, "the root cannot be a scratch directory")
			} else if p != "" {
				c.Scratch = append(c.Scratch, p)
			}
		}
	}
	if n := o.get("killGrace"); n != nil {
		c.KillGrace = d.duration(n, time.Millisecond)
	}
	if n := o.get("artifacts"); n != nil {
		c.Artifacts = d.artifacts(n)
	}
	if n := o.get("rlimits"); n != nil {
		c.Rlimits = d.rlimits(n)
	}
	if n := o.get("readOnly"); n != nil {
		c.ReadOnly = d.boolean(n)
	}
	if n := o.get("cpuQuota"); n != nil {
		c.CPUQuota = d.boolean(n)
	}
	return c
}

var (
	userRE  = regexp.MustCompile(`^(?:0|[1-9][0-9]*)(?::(?:0|[1-9][0-9]*))?$`)
	envRE   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	imageRE = regexp.MustCompile(`^[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$`)
	modeRE  = regexp.MustCompile(`^0?[0-7]{3}$`)
)

func (d *decoder) image(n *node, images map[string]string) string {
	s, known := d.str(n, false)
	if !known {
		return ""
	}
	if ref, ok := images[s]; ok {
		return ref
	}
	if imageRE.MatchString(s) {
		return s
	}
	if strings.ContainsAny(s, "/:@") {
		d.f.at(n.pos, "image %q is not pinned: want an image of this package or host/repository@sha256:<64 hex digits>", clip(s))
		return ""
	}
	d.f.at(n.pos, "%s", didYouMean("there is no image "+strconv.Quote(clip(s))+" (no "+DirImages+"/"+clip(s)+".yaml)", s, sortedKeys(images)))
	return ""
}

// absPath reads a clean absolute path inside a container.
func (d *decoder) absPath(n *node, what string) string {
	s, known := d.str(n, false)
	if !known {
		return ""
	}
	if !path.IsAbs(s) || path.Clean(s) != strings.TrimSuffix(s, "/") && s != "/" {
		d.f.at(n.pos, "%s is %q: want an absolute path without . and ..", what, clip(s))
		return ""
	}
	return path.Clean(s)
}

func (d *decoder) env(n *node) map[string]string {
	out := map[string]string{}
	for _, e := range d.entries(n, MaxEnv) {
		if e.val.open == nil && (len(e.key) > MaxEnvName || !envRE.MatchString(e.key)) {
			d.f.at(e.pos, "%q is no name of an environment variable", clip(e.key))
			continue
		}
		out[e.key], _ = d.str(e.val, true)
	}
	return out
}

func (d *decoder) files(n *node) []cluster.File {
	var out []cluster.File
	for _, fn := range d.list(n, MaxFiles) {
		o := d.object(fn, "file", "path", "content", "mode")
		var f cluster.File
		if p := o.need("path"); p != nil {
			f.Path = d.absPath(p, "the path of a file")
			if slices.ContainsFunc(out, func(o cluster.File) bool { return o.Path == f.Path && f.Path != "" }) {
				d.f.at(fn.pos, "file %s stands twice", f.Path)
			}
		}
		if c := o.need("content"); c != nil {
			f.Content, _ = d.longStr(c, true, MaxContentBytes)
		}
		if m := o.get("mode"); m != nil {
			if s, known := d.str(m, false); known {
				if !modeRE.MatchString(s) {
					d.f.at(m.pos, "mode is %q: want permission bits in octal, such as \"0644\"", clip(s))
				} else {
					v, _ := strconv.ParseUint(s, 8, 32) // the pattern lets nothing else pass
					f.Mode = uint32(v)
				}
			}
		}
		out = append(out, f)
	}
	return out
}
