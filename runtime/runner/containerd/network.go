package containerd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// attachLimit bounds the making of one attachment, detachLimit its end.
	attachLimit = time.Minute
	detachLimit = time.Minute
	// portLimit is how long an attachment waits for a port that another one,
	// which is about to go, still has.
	portLimit = 20 * time.Second
	// maxPorts bounds the published ports of a group.
	maxPorts = 256
)

// The parts of Options.Dir that are the networks'.
const (
	networkDir     = "networks"        // everything below
	networkGroups  = "groups"          // a directory for each group
	networkLeases  = "leases"          // addresses given out, kept by host-local
	networkResults = "results"         // what plugins said, kept by libcni
	namespaceFile  = "netns"           // in a group's directory: its namespace
	attachmentFile = "attachment.json" // in a group's directory: its record
)

// networks makes the namespaces of groups. Its state is on disk; what it has in
// memory is locks.
type networks struct {
	dir, bundle, confDir string
	subnet               netip.Prefix
	tag                  string        // of this agent, in names the machine shares
	bridge               string        // its interface
	work                 chan struct{} // a token for each whose plugins run; more only adds latency

	groups keyed        // one attachment or detachment at a time for each
	ports  sync.Mutex   // held from the look at the published ports to the claim of more
	use    sync.RWMutex // read: the bridge must stay; write: it may go
}

// newNetworks gives the networks of a Runner.
func newNetworks(o Options) (*networks, error) {
	subnet, err := netip.ParsePrefix(o.Subnet)
	if err != nil || !subnet.Addr().Is4() || subnet != subnet.Masked() || subnet.Bits() > 29 {
		return nil, fmt.Errorf("subnet %q of network %s is not an IPv4 network of at least 8 addresses, such as %s",
			o.Subnet, cluster.DefaultNetwork, DefaultSubnet)
	}
	n := networksIn(o.Dir, o.Bundle)
	n.confDir, n.subnet = o.CNIConfDir, subnet
	return n, nil
}

// networksIn gives networks that can be undone.
func networksIn(dir, bundle string) *networks {
	sum := sha256.Sum256([]byte(dir))
	tag := hex.EncodeToString(sum[:5])
	return &networks{
		dir: filepath.Join(dir, networkDir), bundle: bundle, tag: tag, bridge: "uni-" + tag,
		work: make(chan struct{}, 2*goruntime.NumCPU()),
	}
}

// Attach implements runner.Networker.
func (r *Runner) Attach(ctx context.Context, group string, n cluster.Network) (runner.Attachment, error) {
	if r.opts.Dir == "" {
		return runner.Attachment{}, fmt.Errorf("network of %s: this runner has no directory of its own to keep it in: %w", group, runner.ErrSpec)
	}
	a, err := r.networks.attach(ctx, group, n)
	if err != nil {
		return runner.Attachment{}, fmt.Errorf("network %s of %s: %w", n.Name, group, err)
	}
	return a, nil
}

// Detach implements runner.Networker.
func (r *Runner) Detach(ctx context.Context, group string) error {
	if r.opts.Dir == "" {
		return nil
	}
	if err := r.networks.detach(ctx, group); err != nil {
		return fmt.Errorf("network of %s: %w", group, err)
	}
	return nil
}

// Attachments implements runner.Networker. One without an address is half of one.
func (r *Runner) Attachments(context.Context) ([]runner.Attachment, error) {
	if r.opts.Dir == "" {
		return nil, nil
	}
	all, err := r.networks.all()
	if err != nil {
		return nil, fmt.Errorf("networks: %w", err)
	}
	out := make([]runner.Attachment, 0, len(all))
	for _, rec := range all {
		out = append(out, r.networks.public(rec))
	}
	return out, nil
}

// public is a record as others see it.
func (n *networks) public(rec attachment) runner.Attachment {
	a := runner.Attachment{Group: rec.Group, Namespace: n.namespace(rec.Group), Address: rec.Address}
	if !isNamespace(a.Namespace) {
		a.Address = "" // the machine was started again: what the record tells is no more
	}
	return a
}

// attachmentID names an attachment in rules and leases: unique on the machine,
// and short, since rules have little room for it.
func (n *networks) attachmentID(group string) string {
	sum := sha256.Sum256([]byte(n.tag + "\x00" + group))
	return "uni-" + hex.EncodeToString(sum[:16])
}

func (n *networks) attach(ctx context.Context, group string, net cluster.Network) (runner.Attachment, error) {
	if err := checkPorts(group, net); err != nil {
		return runner.Attachment{}, err
	}
	release, err := n.groups.lock(ctx, group)
	if err != nil {
		return runner.Attachment{}, err
	}
	defer release()
	rec, err := n.load(identifier(group))
	if err == nil {
		if a := n.public(rec); a.Address != "" {
			return a, nil
		}
		err = n.undo(ctx, group) // half of one
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return runner.Attachment{}, err
	}
	network, err := n.findNetwork(net.Name)
	if err != nil {
		return runner.Attachment{}, err
	}
	if can, err := publishes(network); err != nil || (!can && len(net.Ports) > 0) {
		return runner.Attachment{}, errors.Join(err, fmt.Errorf("it has no plugin that publishes ports: %w", runner.ErrSpec))
	}
	rec = attachment{Group: group, Network: network, Ports: net.Ports}
	if err := n.claim(ctx, rec); err != nil {
		return runner.Attachment{}, err
	}
	if rec.Address, err = n.connect(ctx, rec); err == nil {
		err = n.save(rec)
	}
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachLimit)
		defer cancel()
		if uerr := n.undo(clean, group); uerr != nil {
			err = fmt.Errorf("%w; undoing it: %w", err, uerr)
		}
		return runner.Attachment{}, err
	}
	return n.public(rec), nil
}

// checkPorts refuses what no plugin should see.
func checkPorts(group string, net cluster.Network) error {
	if group == "" {
		return fmt.Errorf("the group has no name: %w", runner.ErrSpec)
	}
	if len(net.Ports) > maxPorts {
		return fmt.Errorf("%d published ports, over the limit of %d: %w", len(net.Ports), maxPorts, runner.ErrSpec)
	}
	seen := map[uint16]bool{}
	for _, p := range net.Ports {
		if p.Host == 0 || p.Container == 0 || seen[p.Host] {
			return fmt.Errorf("published port %d for %d: zero, or twice: %w", p.Host, p.Container, runner.ErrSpec)
		}
		seen[p.Host] = true
	}
	return nil
}

// claim writes the record of an attachment that is about to be made, once no
// other one publishes its ports. A port is free for the master as soon as its
// task has ended; its attachment goes a little later.
func (n *networks) claim(ctx context.Context, rec attachment) error {
	ctx, cancel := context.WithTimeout(ctx, portLimit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		taken, err := n.tryClaim(rec)
		if err != nil || taken == "" {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("its ports: %s: %w", taken, context.Cause(ctx))
		}
	}
}

// tryClaim writes the record, or tells which port is taken.
func (n *networks) tryClaim(rec attachment) (taken string, err error) {
	n.ports.Lock()
	defer n.ports.Unlock()
	if len(rec.Ports) > 0 {
		all, err := n.all()
		if err != nil {
			return "", err
		}
		for _, other := range all {
			for _, p := range other.Ports {
				if other.Group != rec.Group && slices.ContainsFunc(rec.Ports, func(q cluster.PortMapping) bool { return p.Host == q.Host }) {
					return fmt.Sprintf("host port %d is still published for %s", p.Host, other.Group), nil
				}
			}
		}
	}
	return "", n.save(rec)
}

// connect makes the namespace and has the plugins connect it.
func (n *networks) connect(ctx context.Context, rec attachment) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, attachLimit)
	defer cancel()
	done, err := n.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if err := makeNamespace(n.namespace(rec.Group)); err != nil {
		return "", err
	}
	n.use.RLock()
	defer n.use.RUnlock()
	return n.add(ctx, rec)
}

// turn waits until plugins may run.
func (n *networks) turn(ctx context.Context) (done func(), err error) {
	select {
	case n.work <- struct{}{}:
		return func() { <-n.work }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (n *networks) detach(ctx context.Context, group string) error {
	release, err := n.groups.lock(ctx, group)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, detachLimit)
	defer cancel()
	done, err := n.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	return n.undo(ctx, group)
}

// undo removes all there is of an attachment. Its record goes last, so that
// what could not be removed is tried again.
func (n *networks) undo(ctx context.Context, group string) error {
	rec, err := n.load(identifier(group))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	path := n.namespace(group)
	if rec.Network != nil {
		// Plugins find what they made for a namespace only while there is one.
		if !isNamespace(path) {
			if err := makeNamespace(path); err != nil {
				return err
			}
		}
		if err := n.del(ctx, rec); err != nil {
			return err
		}
	}
	if err := removeNamespace(path); err != nil {
		return err
	}
	if err := os.RemoveAll(n.home(group)); err != nil {
		return err
	}
	return n.removeBridge()
}

// removeBridge removes our bridge with the last attachment.
func (n *networks) removeBridge() error {
	if !n.use.TryLock() {
		return nil // it is being used just now
	}
	defer n.use.Unlock()
	n.ports.Lock()
	defer n.ports.Unlock()
	left, err := os.ReadDir(filepath.Join(n.dir, networkGroups))
	if err != nil || len(left) > 0 {
		return err
	}
	link, err := netlink.LinkByName(n.bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("bridge %s: %w", n.bridge, err)
	}
	return nil
}

// removeAll undoes every attachment.
func (n *networks) removeAll(ctx context.Context) error {
	all, err := n.all()
	for _, rec := range all {
		if derr := n.detach(ctx, rec.Group); derr != nil {
			err = errors.Join(err, fmt.Errorf("network of %s: %w", rec.Group, derr))
		}
	}
	return err
}
