package alloc

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

const (
	// defaultWeight is a role's weight where none is set, in thousandths.
	defaultWeight = 1000
	// shareUnit is the share of somebody who has the whole cluster, at weight 1.
	shareUnit = 1 << 40
)

// clientKey names a framework under a role: who gets offers.
type clientKey struct {
	framework cluster.FrameworkID
	role      cluster.Role
}

// client is a framework under a role: a leaf of the tree.
type client struct {
	node
	framework  cluster.FrameworkID
	role       cluster.Role
	subscribed bool // the framework is connected and has the role
	suppressed bool
	mutedUntil cluster.Time        // it gets nothing until then, because its framework is silent
	minimums   []cluster.Resources // of its framework for its role; nil: the allocator's
	used       core.Usage          // of the latest view
	number     int                 // of its slot on each agent; reused when it goes
	epoch      uint64              // of its refusals; another one for all that were made void
	round      uint64
}

// node is a role, the virtual leaf of a role's own frameworks, or a client.
type node struct {
	path   string
	parent *node
	client *client // nil: a role or a virtual leaf
	kids   []*node // by share, offers, path
	weight uint64
	amount core.Usage // held and offered, of all below; only amounts
	offers int64      // how many offers it got
	wants  int        // clients below that want offers
	share  uint64
}

// tree is all roles and clients.
type tree struct {
	root    node
	roles   map[string]*node
	clients map[clientKey]*client
	list    []*client // in order of their making
	weights map[cluster.Role]int64
	total   core.Usage
	epochs  uint64 // epochs given to clients so far
	unused  []int  // numbers of clients that went
}

func newTree(weights map[cluster.Role]int64) tree {
	return tree{root: node{weight: defaultWeight}, roles: map[string]*node{}, clients: map[clientKey]*client{}, weights: weights}
}

// get gives a client, made when it is not there yet.
func (t *tree) get(k clientKey) *client {
	if c := t.clients[k]; c != nil {
		return c
	}
	// The virtual leaf "." sorts before all roles below, as in Mesos.
	leaf := t.role(string(k.role) + "/.")
	c := &client{framework: k.framework, role: k.role}
	c.node = node{path: string(k.framework), parent: leaf, client: c, weight: defaultWeight}
	leaf.kids = append(leaf.kids, &c.node)
	leaf.sort()
	c.number = len(t.list)
	if n := len(t.unused); n > 0 {
		c.number, t.unused = t.unused[n-1], t.unused[:n-1]
	}
	t.forget(c)
	t.clients[k] = c
	t.list = append(t.list, c)
	return c
}

// forget makes all refusals of a client void.
func (t *tree) forget(c *client) {
	t.epochs++
	c.epoch = t.epochs
}

// role gives the node of a role's path, made when it is not there yet.
func (t *tree) role(path string) *node {
	if n := t.roles[path]; n != nil {
		return n
	}
	n := &node{path: path, parent: &t.root, weight: defaultWeight}
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		n.parent = t.role(path[:i])
	}
	t.weigh(n)
	n.parent.kids = append(n.parent.kids, n)
	n.parent.sort()
	t.roles[path] = n
	return n
}

// weigh gives a role's node its weight.
func (t *tree) weigh(n *node) {
	n.weight = defaultWeight
	if w := t.weights[cluster.Role(n.path)]; w > 0 {
		n.weight = uint64(w)
	}
}

// reweigh takes new weights: all shares change.
func (t *tree) reweigh(weights map[cluster.Role]int64) {
	t.weights = weights
	for _, n := range t.roles { // order-free: each node by itself
		t.weigh(n)
	}
	t.root.measureAll(t.total)
}

// drop takes a client out that holds nothing and is not subscribed.
func (t *tree) drop(c *client) {
	delete(t.clients, clientKey{c.framework, c.role})
	t.unused = append(t.unused, c.number)
	for n := &c.node; n.parent != nil && len(n.kids) == 0; n = n.parent {
		n.parent.kids = slices.DeleteFunc(n.parent.kids, func(k *node) bool { return k == n })
		if n.client == nil {
			delete(t.roles, n.path)
		}
	}
}

// add changes what a client holds or is offered. The order is right again
// after moved.
func (t *tree) add(c *client, r cluster.Resources, sign int64) {
	for n := &c.node; n != nil; n = n.parent {
		n.amount.CPU += sign * r.CPU
		n.amount.Mem += sign * r.Mem
		n.amount.Disk += sign * r.Disk
		n.amount.GPUs += sign * r.GPUs
	}
}

// count notes offers made to a client.
func (c *client) count(n int64) {
	for p := &c.node; p != nil; p = p.parent {
		p.offers += n
	}
}

// moved puts a client and the roles above it where their shares belong.
func (t *tree) moved(c *client) {
	for n := &c.node; n.parent != nil; n = n.parent {
		n.measure(t.total)
		n.parent.place(n)
	}
}

// resize takes a new size of the cluster: all shares change.
func (t *tree) resize(total core.Usage) {
	t.total = total
	t.root.measureAll(total)
}

func (n *node) measureAll(total core.Usage) {
	for _, k := range n.kids {
		k.measureAll(total)
	}
	n.measure(total)
	n.sort()
}

func (n *node) measure(total core.Usage) { n.share = n.shareOf(total) }

// shareOf is the largest part of the total, over the weight.
func (n *node) shareOf(total core.Usage) uint64 {
	s := max(part(n.amount.CPU, total.CPU), part(n.amount.Mem, total.Mem), part(n.amount.Disk, total.Disk),
		part(n.amount.GPUs, total.GPUs))
	return s * defaultWeight / n.weight
}

// part is have/total in units of 1/shareUnit, at most shareUnit: after a loss
// of agents somebody can hold more than there is.
func part(have, total int64) uint64 {
	if have <= 0 || total <= 0 {
		return 0
	}
	if have >= total {
		return shareUnit
	}
	hi, lo := bits.Mul64(uint64(have), shareUnit)
	q, _ := bits.Div64(hi, lo, uint64(total)) // have < total, so the quotient fits
	return q
}

func (n *node) sort() { slices.SortFunc(n.kids, compare) }

// compare orders siblings: smaller share, fewer offers, path.
func compare(a, b *node) int {
	switch {
	case a.share != b.share:
		if a.share < b.share {
			return -1
		}
		return 1
	case a.offers != b.offers:
		if a.offers < b.offers {
			return -1
		}
		return 1
	}
	return strings.Compare(a.path, b.path)
}

// place moves one kid, whose share or count changed, to where it belongs; the
// others are in order.
func (n *node) place(kid *node) {
	i := slices.Index(n.kids, kid)
	for ; i+1 < len(n.kids) && compare(n.kids[i+1], kid) < 0; i++ {
		n.kids[i], n.kids[i+1] = n.kids[i+1], kid
	}
	for ; i > 0 && compare(n.kids[i-1], kid) > 0; i-- {
		n.kids[i], n.kids[i-1] = n.kids[i-1], kid
	}
}

// wanted reports whether anybody wants offers.
func (t *tree) wanted() bool { return t.root.wants > 0 }

// suppress sets whether a client asked for no offers.
func (t *tree) suppress(c *client, on bool) { t.want(c, c.subscribed, on) }

// want sets what decides whether a client gets offers.
func (t *tree) want(c *client, subscribed, suppressed bool) {
	before, after := c.subscribed && !c.suppressed, subscribed && !suppressed
	c.subscribed, c.suppressed = subscribed, suppressed
	d := 0
	switch {
	case after && !before:
		d = 1
	case before && !after:
		d = -1
	}
	for n := &c.node; n != nil; n = n.parent {
		n.wants += d
	}
}

// first gives the first client, in the order of shares, that wants offers and is good.
func (t *tree) first(good func(*client) bool) *client { return t.root.first(good) }

func (n *node) first(good func(*client) bool) *client {
	if n.client != nil {
		if good(n.client) {
			return n.client
		}
		return nil
	}
	for _, k := range n.kids {
		if k.wants == 0 {
			continue
		}
		if c := k.first(good); c != nil {
			return c
		}
	}
	return nil
}
