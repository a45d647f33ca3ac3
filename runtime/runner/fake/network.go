package fake

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// attached is the network of a group.
type attached struct {
	public runner.Attachment // without an address: half of one
	ports  []cluster.PortMapping
}

var _ runner.Networker = (*Runner)(nil)

// Attach gives the group a namespace that nothing goes through, and an address
// of its own. Only cluster.DefaultNetwork and Networks are there.
func (r *Runner) Attach(ctx context.Context, group string, n cluster.Network) (runner.Attachment, error) {
	if err := ctx.Err(); err != nil {
		return runner.Attachment{}, err
	}
	if n.Name != cluster.DefaultNetwork && !slices.Contains(r.Networks, n.Name) {
		return runner.Attachment{}, fmt.Errorf("no network %q: %w", n.Name, runner.ErrSpec)
	}
	if err := checkPorts(group, n); err != nil {
		return runner.Attachment{}, err
	}
	if r.AttachErr != nil {
		if err := r.AttachErr(group, n); err != nil {
			return runner.Attachment{}, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, ok := r.attached[group]; ok && a.public.Address != "" {
		return a.public, nil
	}
	for other, a := range r.attached {
		for _, p := range a.ports {
			if slices.ContainsFunc(n.Ports, func(q cluster.PortMapping) bool { return q.Host == p.Host }) {
				return runner.Attachment{}, fmt.Errorf("host port %d is still published for %s", p.Host, other)
			}
		}
	}
	r.attaches++
	a := runner.Attachment{
		Group: group, Namespace: namespace(group),
		Address: fmt.Sprintf("10.0.%d.%d", r.attaches/256%256, r.attaches%256),
	}
	r.attach(group, attached{public: a, ports: slices.Clone(n.Ports)})
	return a, nil
}

func namespace(group string) string { return "/fake/netns/" + group }

// attach keeps a; the caller holds the lock.
func (r *Runner) attach(group string, a attached) {
	if r.attached == nil {
		r.attached = map[string]attached{}
	}
	r.attached[group] = a
}

func checkPorts(group string, n cluster.Network) error {
	if group == "" {
		return fmt.Errorf("the group has no name: %w", runner.ErrSpec)
	}
	seen := map[uint16]bool{}
	for _, p := range n.Ports {
		if p.Host == 0 || p.Container == 0 || seen[p.Host] {
			return fmt.Errorf("published port %d for %d: %w", p.Host, p.Container, runner.ErrSpec)
		}
		seen[p.Host] = true
	}
	return nil
}

// Detach forgets the network of a group.
func (r *Runner) Detach(ctx context.Context, group string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.attached, group)
	return nil
}

// Attachments gives all, sorted by group.
func (r *Runner) Attachments(context.Context) ([]runner.Attachment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]runner.Attachment, 0, len(r.attached))
	for _, group := range slices.Sorted(maps.Keys(r.attached)) {
		out = append(out, r.attached[group].public)
	}
	return out, nil
}

// checkNetwork refuses a namespace that no group has; the caller holds the lock.
func (r *Runner) checkNetwork(path string) error {
	if path == "" {
		return nil
	}
	for _, a := range r.attached {
		if a.public.Namespace == path && a.public.Address != "" {
			return nil
		}
	}
	return fmt.Errorf("network namespace %s: %w", path, runner.ErrSpec)
}

// HalfAttach leaves half an attachment, as an agent does that dies in the midst of one.
func (r *Runner) HalfAttach(group string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attach(group, attached{public: runner.Attachment{Group: group, Namespace: namespace(group)}})
}

// Attaches is how many attachments were made so far.
func (r *Runner) Attaches() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attaches
}

// Reboot ends every container without a trace and leaves half of every
// attachment, as a machine does that is started again.
func (r *Runner) Reboot() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.containers {
		if c.timer != nil {
			c.timer.Stop()
		}
	}
	clear(r.containers)
	for group, a := range r.attached {
		a.public.Address = ""
		r.attached[group] = a
	}
}
