package master

import (
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// implausible says why what an agent says of its tasks cannot be so: an error
// with the reason, and no session. What can be so and is not the master's, such
// as a task that ended for it meanwhile, the state gets rid of.
func implausible(view *core.View, hello *cluster.Hello) error {
	id := hello.Agent.ID
	var strange cluster.Resources // what tasks hold that the log does not know
	for i := range hello.Tasks {
		r := &hello.Tasks[i]
		task := r.Status.Task
		known := view.Task(task)
		switch {
		case r.Spec.ID != task:
			return problem.New(problem.Invalid, "agent %q reports task %.200q as %.200q", id, r.Spec.ID, task)
		case r.Status.Agent != "" && r.Status.Agent != id:
			return problem.New(problem.Forbidden, "agent %q reports task %.200q in the name of agent %.63q", id, task, r.Status.Agent)
		case known != nil && known.Agent != id:
			return problem.New(problem.Forbidden, "agent %q reports task %q, which is on agent %q", id, task, known.Agent).
				WithHint("if its disk is a copy of that agent's, remove its state directory")
		case known != nil && !known.Spec.Resources.Equal(r.Spec.Resources):
			return problem.New(problem.Invalid, "agent %q reports task %q with %s, it was launched with %s", id, task, r.Spec.Resources, known.Spec.Resources)
		case known != nil || r.Status.State.Terminal():
			continue
		}
		if err := r.Spec.Resources.Validate(); err != nil {
			return problem.New(problem.Invalid, "agent %q reports task %.200q with impossible resources: %w", id, task, err)
		}
		strange = strange.Plus(r.Spec.Resources)
		// After each, so that no sum overflows.
		if short := cluster.Fits(hello.Agent.Total, strange); short != nil {
			return problem.New(problem.Invalid, "agent %q reports tasks that hold more than it has: %s", id, short[0])
		}
	}
	return nil
}
