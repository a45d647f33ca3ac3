package service

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// stage is when a task of the pod is launched: the tasks of a stage together,
// when all of the stages before have ended well. Where no task names one that it
// comes after, all are of one stage. Else those that are to end come first, each
// after what it names, and those that are to run for ever are the last stage.
func (p *pod) stage(task string) int {
	if !p.staged {
		p.stages, p.staged = stagesOf(p.spec.Tasks), true
	}
	if p.stages == nil {
		return 0
	}
	i := slices.IndexFunc(p.spec.Tasks, func(t cluster.TaskTemplate) bool { return t.Name == task })
	if i < 0 {
		return 0
	}
	return p.stages[i]
}

// stagesOf reckons the stages of tasks; nil: there is one.
func stagesOf(tasks []cluster.TaskTemplate) []int {
	if !slices.ContainsFunc(tasks, func(t cluster.TaskTemplate) bool { return len(t.After) > 0 }) {
		return nil
	}
	out, last := make([]int, len(tasks)), 0
	for range tasks { // a task is put behind those it names at least once a round
		for i := range tasks {
			for j := range tasks {
				if slices.Contains(tasks[i].After, tasks[j].Name) && tasks[i].Goal != cluster.GoalRunning {
					out[i] = min(max(out[i], out[j]+1), len(tasks))
				}
			}
			last = max(last, out[i])
		}
	}
	for i := range tasks {
		if tasks[i].Goal == cluster.GoalRunning {
			out[i] = last + 1
		}
	}
	return out
}

// wants are the templates that an instance wants room for.
func (in *instance) wants() []cluster.TaskTemplate {
	if in.action == actPlace {
		return []cluster.TaskTemplate{in.pod.placeTask()}
	}
	return in.toLaunch()
}

// toLaunch are the templates an instance is launched with: those of the first
// stage that has any left to run, without the ONCE tasks that are done.
func (in *instance) toLaunch() []cluster.TaskTemplate {
	all := in.source().spec.Tasks
	stage, skip := -1, false
	for i := range all {
		switch s := in.source().stage(all[i].Name); {
		case in.behind(&all[i]):
			skip = true
		case stage < 0:
			stage = s
		default:
			skip = skip || s != stage
			stage = min(stage, s)
		}
	}
	if !skip {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(t cluster.TaskTemplate) bool {
		return in.behind(&t) || in.source().stage(t.Name) != stage
	})
}

// behind reports whether a task has done what it is there for: a ONCE task when
// it has ever ended well, a FINISH task of an early stage when it did so in the
// launch that goes on.
func (in *instance) behind(t *cluster.TaskTemplate) bool {
	if t.Goal == cluster.GoalRunning {
		return false
	}
	done, ok := in.record().Done[t.Name]
	if t.Goal == cluster.GoalOnce || !ok {
		return ok
	}
	return in.goesOn() == sched.LaunchOf(done.Task) && in.goesOn() != ""
}

// goesOn is the launch whose next stage is due; empty: a new launch begins. A
// launch goes on when its FINISH tasks ended well under the present spec, and no
// task of the last stage has been launched in it.
func (in *instance) goesOn() string {
	if in.source().stage(""); in.source().stages == nil || in.continued {
		return in.going
	}
	in.continued = true
	rec := in.record()
	for i := range in.source().spec.Tasks {
		t := &in.source().spec.Tasks[i]
		done, ok := rec.Done[t.Name]
		if t.Goal != cluster.GoalFinish || !ok || done.Task != rec.Tasks[t.Name] {
			continue
		}
		if template, _ := sched.SplitHash(done.Hash); template != in.source().templateHash() {
			continue
		}
		launch := sched.LaunchOf(done.Task)
		if newerLaunch(launch, in.going) {
			in.going = launch
		}
	}
	for i := range in.source().spec.Tasks {
		t := &in.source().spec.Tasks[i]
		id, ok := rec.Tasks[t.Name]
		_, done := rec.Done[t.Name]
		ended := t.Goal != cluster.GoalRunning && done && rec.Done[t.Name].Task == id
		if ok && !ended && !newerLaunch(in.going, sched.LaunchOf(id)) {
			in.going = "" // it failed in this launch, or in one after it
		}
	}
	if sched.LaunchOf(rec.LastTask) == in.going && rec.LastState != cluster.TaskFinished {
		in.going = "" // refused: its ids are taken
	}
	return in.going
}

// launch is the suffix that the tasks of an instance get now.
func (in *instance) launch() string {
	if s := in.goesOn(); s != "" {
		return s
	}
	return sched.Suffix(in.m.view.Index())
}

// groupName names the group of the tasks that are launched together.
func (in *instance) groupName(tasks []cluster.TaskTemplate, suffix string) string {
	name := sched.GroupName(in.m.svc.Spec.ID, core.InstanceKey(in.pod.spec.Name, in.index), suffix)
	if stage := in.source().stage(tasks[0].Name); stage > 0 {
		name += "." + tasks[0].Name // another stage of the launch has the plain name
	}
	return name
}
