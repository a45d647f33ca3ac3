package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// portsWait is how long a task waits for ports that are still published for a
// group that has ended.
const portsWait = time.Minute

// networks is what is known of the network namespaces of groups. A group is
// attached and detached under a lock of its own, which is a channel: an attempt
// takes long, and who waits may be told to end.
type networks struct {
	mu     sync.Mutex
	groups map[string]*attached
}

// attached is one group; it exists while somebody uses it or it is attached.
type attached struct {
	lock  chan struct{}      // holds a token while it is locked
	users int                // that hold the lock or wait for it
	now   *runner.Attachment // nil: it is not attached, or by an earlier life
	ports cluster.Ports      // that it publishes now
}

func newNetworks() networks { return networks{groups: map[string]*attached{}} }

// lock gives the group to one caller at a time.
func (n *networks) lock(ctx context.Context, group string) (*attached, error) {
	n.mu.Lock()
	g := n.groups[group]
	if g == nil {
		g = &attached{lock: make(chan struct{}, 1)}
		n.groups[group] = g
	}
	g.users++
	n.mu.Unlock()
	select {
	case g.lock <- struct{}{}:
		return g, nil
	case <-ctx.Done():
		n.leave(group, g)
		return nil, context.Cause(ctx)
	}
}

func (n *networks) unlock(group string, g *attached) {
	<-g.lock
	n.leave(group, g)
}

func (n *networks) leave(group string, g *attached) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if g.users--; g.users == 0 && g.now == nil {
		delete(n.groups, group)
	}
}

// set notes that a group is attached, or with nil that it is not. The caller
// holds its lock.
func (n *networks) set(g *attached, now *runner.Attachment, ports cluster.Ports) {
	n.mu.Lock()
	defer n.mu.Unlock()
	g.now, g.ports = now, ports
}

// publisher gives a group other than one that publishes some of ports; empty:
// there is none.
func (n *networks) publisher(ports cluster.Ports, but string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for group, g := range n.groups {
		if group != but && overlap(g.ports, ports) {
			return group
		}
	}
	return ""
}

func overlap(a, b cluster.Ports) bool {
	return cluster.Resources{Ports: a}.Overlaps(cluster.Resources{Ports: b})
}

// published is the host ports of a network.
func published(n *cluster.Network) cluster.Ports {
	if n == nil {
		return nil
	}
	ranges := make([]cluster.PortRange, len(n.Ports))
	for i, p := range n.Ports {
		ranges[i] = cluster.PortRange{Lo: p.Host, Hi: p.Host}
	}
	return cluster.NewPorts(ranges...)
}

// networkGroup names the group whose network namespace a task runs in; empty:
// it runs in the agent's own.
func networkGroup(spec cluster.TaskSpec) string {
	switch {
	case spec.Network == nil:
		return ""
	case spec.Group != "":
		return spec.Group
	}
	return string(spec.ID)
}

// admitNetwork refuses a network that this agent cannot give now.
func (a *Agent) admitNetwork(spec cluster.TaskSpec) *refusal {
	if spec.Network == nil {
		return nil
	}
	if _, ok := a.cfg.Runner.(runner.Networker); !ok {
		return noRoom("it needs the network %q, and this agent has no networks of its own", spec.Network.Name)
	}
	ports := published(spec.Network)
	var no *refusal
	a.ledger.Scan(func(r *checkpoint.Record) bool {
		if r.Active() && networkGroup(r.Spec) != networkGroup(spec) && overlap(r.Spec.Resources.Ports, ports) {
			no = noRoom("its network publishes a port as one that the task %s has", r.Spec.ID)
		}
		return no == nil
	})
	return no
}

// awaitPorts waits until nobody else publishes the task's ports: those of a
// group whose tasks have ended are given anew before it is detached, and would
// still lead into its network.
func (a *Agent) awaitPorts(ctx context.Context, spec cluster.TaskSpec) error {
	b, since := backoff{least: minGroupRetry, most: maxGroupRetry}, time.Now()
	for {
		by := a.publisher(spec)
		if by == "" {
			return nil
		}
		if time.Since(since) > portsWait {
			return fmt.Errorf("its ports are still published for %s, which has ended", by)
		}
		if !b.wait(ctx) {
			return context.Cause(ctx)
		}
	}
}

// publisher gives the group that publishes a task's ports and is not its own.
func (a *Agent) publisher(spec cluster.TaskSpec) string {
	ports, group := spec.Resources.Ports.Union(published(spec.Network)), networkGroup(spec)
	if len(ports) == 0 {
		return ""
	}
	by := a.nets.publisher(ports, group)
	a.ledger.Scan(func(r *checkpoint.Record) bool {
		if other := networkGroup(r.Spec); other != group && !r.Active() && !r.Removed && overlap(published(r.Spec.Network), ports) {
			by = other
		}
		return by == ""
	})
	return by
}

// attach gives the network namespace of a task's group, and makes it for the
// first of them. It is empty for a task on the agent's own network.
func (a *Agent) attach(ctx context.Context, spec cluster.TaskSpec) (string, error) {
	group := networkGroup(spec)
	if group == "" {
		return "", nil
	}
	n, ok := a.cfg.Runner.(runner.Networker)
	if !ok {
		return "", errors.New("this agent has no networks of its own (any more)")
	}
	g, err := a.nets.lock(ctx, group)
	if err != nil {
		return "", err
	}
	defer a.nets.unlock(group, g)
	if g.now == nil {
		at, err := n.Attach(ctx, group, *spec.Network)
		if err != nil {
			return "", fmt.Errorf("network %q: %w", spec.Network.Name, err)
		}
		a.nets.set(g, &at, published(spec.Network))
		a.log.Info("network attached", "group", group, "network", spec.Network.Name, "address", at.Address)
	}
	return g.now.Namespace, nil
}

// release detaches a group that no task uses any more, for as long as it takes.
// What is left when ctx is done the next life detaches.
func (a *Agent) release(ctx context.Context, group string) {
	n, ok := a.cfg.Runner.(runner.Networker)
	if group == "" || !ok {
		return
	}
	b := backoff{least: minRemoveRetry, most: maxRemoveRetry}
	for {
		err := a.tryRelease(ctx, n, group)
		if err == nil || ctx.Err() != nil {
			return
		}
		a.log.Warn("a network could not be detached; trying again", "group", group, "err", err)
		if !b.wait(ctx) {
			return
		}
	}
}

func (a *Agent) tryRelease(ctx context.Context, n runner.Networker, group string) error {
	g, err := a.nets.lock(ctx, group)
	if err != nil {
		return err
	}
	defer a.nets.unlock(group, g)
	// A task has its record before it asks to be attached: none can come in between.
	used := false
	a.ledger.Scan(func(r *checkpoint.Record) bool {
		used = networkGroup(r.Spec) == group && (r.Active() || !r.Removed)
		return !used
	})
	if used {
		return nil
	}
	if err := n.Detach(ctx, group); err != nil {
		return err
	}
	a.nets.set(g, nil, nil)
	a.log.Info("network detached", "group", group)
	return nil
}

// sweepNetworks detaches what an earlier life left attached for no task that is
// there.
func (a *Agent) sweepNetworks(ctx context.Context) error {
	n, ok := a.cfg.Runner.(runner.Networker)
	if !ok {
		return nil
	}
	b := backoff{least: minEngineRetry, most: maxEngineRetry}
	for {
		all, err := n.Attachments(ctx)
		if err == nil {
			for _, at := range all {
				a.group.Go(func() error { a.release(ctx, at.Group); return nil })
			}
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		a.log.Warn("the networks of an earlier life cannot be listed; trying again", "err", err)
		if !b.wait(ctx) {
			return nil
		}
	}
}
