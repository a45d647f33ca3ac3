package agent

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// refusal is why a task is not taken on.
type refusal struct {
	state   cluster.TaskState
	reason  cluster.Reason
	message string
}

// invalid refuses what no agent would take.
func invalid(reason cluster.Reason, err error) *refusal {
	return &refusal{cluster.TaskError, reason, err.Error()}
}

// noRoom refuses what another agent, or this one at another time, may take.
func noRoom(format string, args ...any) *refusal {
	return &refusal{cluster.TaskFailed, cluster.ReasonLaunchFailed, fmt.Sprintf(format, args...)}
}

// admit checks all that can be told of a task before anything is done for it,
// as the master does: neither trusts that the other did.
func (a *Agent) admit(spec cluster.TaskSpec) (probes, *refusal) {
	probes, err := a.probes(spec)
	if err == nil {
		err = a.checkArtifacts(spec.Container.Artifacts)
	}
	if err == nil {
		err = checkResources(spec)
	}
	if err == nil {
		err = checkVolumes(spec)
	}
	if err != nil {
		return probes, invalid(cluster.ReasonTaskInvalid, err)
	}
	if err := a.checkGroup(spec); err != nil {
		return probes, invalid(cluster.ReasonGroupInvalid, err)
	}
	used, n := a.ledger.Used()
	if n >= MaxTasks {
		return probes, noRoom("the agent has its %d tasks", MaxTasks)
	}
	if short := cluster.Fits(a.cfg.Total.Minus(used), spec.Resources); len(short) > 0 {
		return probes, noRoom("does not fit on the agent: %s", shortfalls(short))
	}
	if no := a.admitNetwork(spec); no != nil {
		return probes, no
	}
	return probes, a.admitVolumes(spec)
}

func shortfalls(short []cluster.Shortfall) string {
	parts := make([]string, len(short))
	for i, s := range short {
		parts[i] = s.String()
	}
	return strings.Join(parts, "; ")
}

// checkResources refuses amounts that cannot be reckoned with.
func checkResources(spec cluster.TaskSpec) error {
	if err := spec.Resources.Validate(); err != nil {
		return fmt.Errorf("resources: %w", err)
	}
	if err := spec.Reserved.Validate(); err != nil {
		return fmt.Errorf("reserved resources: %w", err)
	}
	if short := cluster.Fits(spec.Resources, spec.Reserved.Flat()); len(short) > 0 {
		return fmt.Errorf("reserved are more than all its resources: %s", shortfalls(short))
	}
	return nil
}

// inGroup says of which group a task that is not launched is: its other tasks
// may be launched all the same, and whoever launched the group has to decide.
func inGroup(spec cluster.TaskSpec, message string) string {
	if spec.Group == "" {
		return message
	}
	return fmt.Sprintf("task %q of group %s: %s", spec.Task, spec.Group, message)
}

// checkGroup refuses a task whose network or group cannot be, and one that does
// not agree with the active tasks of its group. The tasks of a group come one by
// one, so that the ports of those to come are not known.
func (a *Agent) checkGroup(spec cluster.TaskSpec) error {
	key := networkGroup(spec)
	if spec.Group != "" {
		key = spec.Group
	}
	if key == "" {
		return nil
	}
	if err := checkName("group", key); err != nil {
		return err
	}
	if spec.Network != nil {
		if err := checkNetwork(*spec.Network, a.cfg.Total.Ports); err != nil {
			return err
		}
	}
	var err error
	a.ledger.Scan(func(r *checkpoint.Record) bool {
		if r.Active() && (r.Spec.Group == key || networkGroup(r.Spec) == key) {
			err = agree(r.Spec, spec)
		}
		return err == nil
	})
	return err
}

// agree reports whether two tasks can be of one group.
func agree(a, b cluster.TaskSpec) error {
	switch {
	case a.Group != b.Group:
		return fmt.Errorf("its task %s is alone: a group and a task with a network of its own cannot have one name", a.ID)
	case a.Framework != b.Framework || a.Role != b.Role:
		return fmt.Errorf("its task %s is of another framework or role", a.ID)
	case !a.Network.Equal(b.Network):
		return fmt.Errorf("its task %s names another network, or other ports of it", a.ID)
	}
	return nil
}

// checkNetwork refuses a network that publishes ports which are not the agent's.
func checkNetwork(n cluster.Network, ports cluster.Ports) error {
	if err := n.Validate(); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	for _, p := range n.Ports {
		if !ports.Contains(cluster.Port(p.Host)) {
			return fmt.Errorf("network: it publishes a port as %d, which is not the agent's to give", p.Host)
		}
	}
	return nil
}
