package core

import (
	"iter"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// View is the state at one index. It is immutable and safe for concurrent use.
// Records are returned by pointer and must not be changed.
type View struct {
	index      int64
	at         cluster.Time
	agents     table[*Agent]         // by agent
	frameworks table[*Framework]     // by framework
	tasks      table[*cluster.Task]  // by task
	byAgent    table[*cluster.Task]  // active tasks, by agent and task
	byService  table[*cluster.Task]  // by service and task
	byGroup    table[*cluster.Task]  // active tasks that are in a group, by group and task
	ended      table[*cluster.Task]  // ended tasks, by time of ending and task
	endedOf    table[*cluster.Task]  // the same of one service: by service, time of ending and task
	services   table[*Service]       // by service
	instances  table[*Instance]      // by service and instance key
	runs       table[*Run]           // by run
	endedRuns  table[*Run]           // by time of ending and run
	usage      table[*Usage]         // by role and framework
	quotas     table[*cluster.Quota] // by role
	weights    table[Weight]         // by role
	leftovers  table[*Leftovers]     // by service
	placed     table[PlaceOf]        // places, of leftovers too, by agent, service and instance key
	total      Usage                 // of all agents that are not gone: the cluster's size
}

// Index is the number of commands applied.
func (v *View) Index() int64 { return v.index }

// Time is the time of the latest command.
func (v *View) Time() cluster.Time { return v.at }

// Agent gives an agent, nil when there is none of that id.
func (v *View) Agent(id cluster.AgentID) *Agent { return at(&v.agents, string(id)) }

// Agents yields the agents in order of their ids, gone ones too.
func (v *View) Agents() iter.Seq[*Agent] { return v.agents.values() }

// AgentCount is how many agents Agents yields.
func (v *View) AgentCount() int { return v.agents.n }

// Framework gives a framework, nil when there is none of that id.
func (v *View) Framework(id cluster.FrameworkID) *Framework { return at(&v.frameworks, string(id)) }

// Frameworks yields the frameworks in order of their ids.
func (v *View) Frameworks() iter.Seq[*Framework] { return v.frameworks.values() }

// Task gives a task, active or ended, nil when there is none of that id.
func (v *View) Task(id cluster.TaskID) *cluster.Task { return at(&v.tasks, string(id)) }

// Tasks yields all tasks in order of their ids, ended ones that are kept too.
func (v *View) Tasks() iter.Seq[*cluster.Task] { return v.tasks.values() }

// TaskCount is how many tasks Tasks yields.
func (v *View) TaskCount() int { return v.tasks.n }

// AgentTasks yields the active tasks of an agent in order of their ids.
func (v *View) AgentTasks(id cluster.AgentID) iter.Seq[*cluster.Task] {
	return seconds(v.byAgent.from(key(string(id), "")))
}

// ServiceTasks yields the tasks of a service in order of their ids: active ones
// and the latest ended ones, those of its runs too.
func (v *View) ServiceTasks(id cluster.ServiceID) iter.Seq[*cluster.Task] {
	return seconds(v.byService.from(key(string(id), "")))
}

// Service gives a service, nil when there is none of that id.
func (v *View) Service(id cluster.ServiceID) *Service { return at(&v.services, string(id)) }

// Services yields the services in order of their ids.
func (v *View) Services() iter.Seq[*Service] { return v.services.values() }

// Leftover gives what a removed service left, nil when there is nothing.
func (v *View) Leftover(id cluster.ServiceID) *Leftovers { return at(&v.leftovers, string(id)) }

// Leftovers yields what removed services left, in order of their ids.
func (v *View) Leftovers() iter.Seq[*Leftovers] { return v.leftovers.values() }

// Installations yields what is installed, in order of the service ids.
func (v *View) Installations() iter.Seq[*cluster.Installation] {
	return func(yield func(*cluster.Installation) bool) {
		for s := range v.services.values() {
			if s.Installation != nil && !yield(s.Installation) {
				return
			}
		}
	}
}

// Instance gives what is remembered of an instance of a pod; the zero value
// when it was never launched.
func (v *View) Instance(service cluster.ServiceID, pod string, index int) Instance {
	if i := at(&v.instances, key(string(service), InstanceKey(pod, index))); i != nil {
		return *i
	}
	return Instance{}
}

// Instances yields the remembered instances of a service by InstanceKey.
func (v *View) Instances(service cluster.ServiceID) iter.Seq2[string, *Instance] {
	prefix := key(string(service), "")
	return func(yield func(string, *Instance) bool) {
		for k, i := range v.instances.from(prefix) {
			if !yield(k[len(prefix):], i) {
				return
			}
		}
	}
}

// Run gives a run, nil when there is none of that id.
func (v *View) Run(id cluster.RunID) *Run { return at(&v.runs, string(id)) }

// Runs yields all runs in order of their ids, ended ones that are kept too.
func (v *View) Runs() iter.Seq[*Run] { return v.runs.values() }

// Usage yields what frameworks hold under roles, in order of role and framework.
func (v *View) Usage() iter.Seq[*Usage] { return v.usage.values() }

// Quota gives the quota of a role, nil when it has none.
func (v *View) Quota(role cluster.Role) *cluster.Quota { return at(&v.quotas, string(role)) }

// Quotas yields the quotas in order of their roles.
func (v *View) Quotas() iter.Seq[*cluster.Quota] { return v.quotas.values() }

// Weights yields the weights in order of their roles.
func (v *View) Weights() iter.Seq[Weight] { return v.weights.values() }

// Total is the sum of what all agents that are not gone have; only its
// amounts mean something.
func (v *View) Total() Usage { return v.total }

// Pending derives what an agent should be told now: launches it has not
// confirmed and kills that are not done. Nothing for an agent that is not active.
func (v *View) Pending(id cluster.AgentID) []Effect {
	a := v.Agent(id)
	if a == nil || a.State != cluster.AgentActive {
		return nil
	}
	var out []Effect
	for t := range v.AgentTasks(id) {
		switch {
		case t.Killing:
			out = append(out, killEffect(t))
		case t.Status.State == cluster.TaskStaging:
			out = append(out, launchEffect(t))
		}
	}
	return out
}

func launchEffect(t *cluster.Task) Effect {
	return Effect{Agent: t.Agent, Order: cluster.Order{Kind: cluster.OrderLaunch, Spec: &t.Spec, Task: t.Spec.ID}}
}

func killEffect(t *cluster.Task) Effect {
	return Effect{Agent: t.Agent, Order: cluster.Order{Kind: cluster.OrderKill, Task: t.Spec.ID, Grace: t.KillGrace}}
}

// freeze gives a copy that later writes do not reach.
func (v *View) freeze() *View {
	return &View{
		index: v.index, at: v.at, total: v.total,
		agents: v.agents.freeze(), frameworks: v.frameworks.freeze(), tasks: v.tasks.freeze(),
		byAgent: v.byAgent.freeze(), byService: v.byService.freeze(), byGroup: v.byGroup.freeze(), ended: v.ended.freeze(), endedOf: v.endedOf.freeze(),
		services: v.services.freeze(), instances: v.instances.freeze(),
		runs: v.runs.freeze(), endedRuns: v.endedRuns.freeze(), usage: v.usage.freeze(),
		quotas: v.quotas.freeze(), weights: v.weights.freeze(), leftovers: v.leftovers.freeze(), placed: v.placed.freeze(),
	}
}

func at[V any](t *table[*V], key string) *V {
	v, _ := t.get(key)
	return v
}

func seconds[V any](s iter.Seq2[string, V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range s {
			if !yield(v) {
				return
			}
		}
	}
}
