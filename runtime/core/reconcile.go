package core

import "github.com/universe-dcos/universe/runtime/cluster"

// TaskQuestion asks for the state of a task. Agent is where the framework
// believes it to be; empty: it does not know.
type TaskQuestion struct {
	Task  cluster.TaskID  `json:"task"`
	Agent cluster.AgentID `json:"agent,omitempty"`
}

// Reconcile answers a framework's questions about its tasks, in their order: a
// task that is known with its latest state, another one with what its agent's
// state lets one say (Mesos reconciliation.md). With no question it gives all
// tasks of the framework that have not ended, in order of their ids. The
// answers have the reason REASON_RECONCILIATION and no uuid: they are not to be
// acknowledged. They change nothing, so that they need no command.
func (v *View) Reconcile(framework cluster.FrameworkID, questions ...TaskQuestion) []cluster.TaskStatus {
	var out []cluster.TaskStatus
	if len(questions) == 0 {
		for t := range v.Tasks() {
			if t.Spec.Framework == framework && t.Active() {
				out = append(out, v.known(t))
			}
		}
		return out
	}
	for _, q := range questions {
		if t := v.Task(q.Task); t != nil && t.Spec.Framework == framework {
			out = append(out, v.known(t))
			continue
		}
		out = append(out, v.unknown(q))
	}
	return out
}

// known is the latest state of a task as an answer.
func (v *View) known(t *cluster.Task) cluster.TaskStatus {
	st := t.Status
	st.Reason, st.UUID, st.Seq = cluster.ReasonReconciliation, "", 0
	if st.State != cluster.TaskUnreachable {
		st.At = v.at // when it was true; an unreachable one keeps since when it is
	}
	return st
}

// unknown is what can be said of a task that nobody here knows.
func (v *View) unknown(q TaskQuestion) cluster.TaskStatus {
	st := cluster.TaskStatus{Task: q.Task, Agent: q.Agent, State: cluster.TaskUnknown, Reason: cluster.ReasonReconciliation,
		Message: "neither the task nor its agent is known", At: v.at}
	a := v.Agent(q.Agent)
	if a == nil {
		return st
	}
	switch a.State {
	case cluster.AgentActive:
		st.State, st.Message = cluster.TaskGone, "its agent is there and does not have it"
	case cluster.AgentUnreachable:
		st.State, st.Message, st.At = cluster.TaskUnreachable, "its agent is silent", a.Since
	case cluster.AgentGone:
		st.State, st.Message = cluster.TaskGoneByOperator, "its agent was declared gone"
	}
	return st
}
