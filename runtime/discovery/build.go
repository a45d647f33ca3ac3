package discovery

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

// Config is what names are made of beside the state.
type Config struct {
	// Master is the addresses of the master. They are the zone's too: another
	// Builder may give other zones the same Index.
	Master []netip.Addr
	// Range is where virtual addresses are taken from; the zero value: DefaultRange.
	Range netip.Prefix
}

// Build makes the zone of a view from nothing. Who builds more than once keeps
// a Builder.
func Build(view *core.View, cfg Config) *Zone { return NewBuilder(cfg).Build(view) }

// Builder makes the zones of one view after the other. Its zeroth zone depends
// on the view alone; in those that follow, virtual addresses stay with who has
// them. It is for one goroutine at a time.
type Builder struct {
	cfg    Config
	last   *Zone
	memo   map[cluster.ServiceID]*memo
	agents []agentKey
	vips   addresses
}

// memo is what a service's part was made of. Records of the core are never
// changed: the same pointers are the same content.
type memo struct {
	record *core.Service
	tasks  []*cluster.Task
	part   *Service
}

// agentKey is what an agent's name is made of.
type agentKey struct {
	id   cluster.AgentID
	host string
}

// NewBuilder makes a Builder that has built nothing.
func NewBuilder(cfg Config) *Builder {
	if !cfg.Range.IsValid() {
		cfg.Range = DefaultRange
	}
	return &Builder{cfg: cfg, memo: map[cluster.ServiceID]*memo{}, vips: newAddresses(cfg.Range)}
}

// Build makes the zone of a view, which must not be older than that of the call
// before. Where nothing of it changed it is the very zone of the call before.
func (b *Builder) Build(view *core.View) *Zone {
	records := b.records(view)
	b.allocate(records)
	next := map[cluster.ServiceID]*memo{}
	changed := b.last == nil
	for _, r := range records {
		id := r.Spec.ID
		old := b.memo[id]
		m := b.rebuild(view, r, old)
		next[id] = m
		changed = changed || old == nil || old.part != m.part
	}
	nodes := b.nodes(view)
	if !changed && len(next) == len(b.memo) && nodes == b.last.nodes {
		b.memo = next
		return b.last
	}
	z := Zone{index: view.Index(), floor: view.Index(), nodes: nodes, services: make(map[cluster.ServiceID]*Service, len(next))}
	for id, m := range next {
		z.services[id] = m.part
	}
	if b.last != nil {
		z.floor, z.gone = b.goneSince(next, view.Index())
	}
	b.memo, b.last = next, newZone(z)
	return b.last
}

// records lists the services that have names, oldest first.
func (b *Builder) records(view *core.View) []*core.Service {
	var out []*core.Service
	for s := range view.Services() {
		if len(out) == MaxServices {
			break
		}
		if id := s.Spec.ID; names.Valid(string(id)) && !names.Reserved(id) {
			out = append(out, s)
		}
	}
	return out
}

// goneSince adds the services that went to those that are remembered.
func (b *Builder) goneSince(next map[cluster.ServiceID]*memo, index int64) (floor int64, gone []Gone) {
	floor = b.last.floor
	for _, g := range b.last.gone {
		if next[g.ID] == nil {
			gone = append(gone, g)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.memo)) {
		if next[id] == nil {
			gone = append(gone, Gone{ID: id, Index: index})
		}
	}
	if n := len(gone) - MaxGone; n > 0 {
		floor = gone[n-1].Index
		gone = gone[n:]
	}
	return floor, gone
}

// rebuild gives a service's part, the one of before where nothing of it changed.
func (b *Builder) rebuild(view *core.View, r *core.Service, old *memo) *memo {
	var room [64]*cluster.Task // most services have few: no allocation to find that nothing changed
	tasks := room[:0]
	for t := range view.ServiceTasks(r.Spec.ID) {
		if t.Active() && t.Spec.Run == "" && t.Spec.Pod != "" {
			tasks = append(tasks, t)
		}
	}
	if old != nil && old.record == r && slices.Equal(old.tasks, tasks) {
		return old
	}
	part := b.part(r, tasks)
	part.Index = view.Index()
	if old != nil && old.part.same(part) {
		part = old.part
	}
	return &memo{record: r, tasks: slices.Clone(tasks), part: part}
}

// part makes the names of a service.
func (b *Builder) part(r *core.Service, tasks []*cluster.Task) *Service {
	s := &Service{ID: r.Spec.ID}
	c := collector{byKey: map[string]*gathered{}}
	c.addPlaces(r)
	for _, t := range tasks {
		c.addTask(t)
	}
	s.Instances = c.instances()
	for _, e := range r.Spec.Endpoints[:min(len(r.Spec.Endpoints), MaxEndpoints)] {
		s.Endpoints = append(s.Endpoints, Endpoint{Name: e.Name, Pod: e.Pod, Task: e.Task, Port: e.Port,
			VIP: b.vips.of(vipName(r.Spec.ID, e.Name), vipPort(&r.Spec, e))})
	}
	return s.seal()
}

// same reports whether two parts say the same, whenever they came to it.
func (s *Service) same(o *Service) bool {
	return s.ID == o.ID && slices.Equal(s.Endpoints, o.Endpoints) && slices.EqualFunc(s.Instances, o.Instances, Instance.same)
}

func (in Instance) same(o Instance) bool {
	return in.Pod == o.Pod && in.Index == o.Index && in.Addr == o.Addr && in.Ready == o.Ready &&
		slices.EqualFunc(in.Tasks, o.Tasks, func(a, b Task) bool { return a.Name == b.Name && slices.Equal(a.Ports, b.Ports) })
}

// nodes gives the master and the agents, the ones of before where they are the same.
func (b *Builder) nodes(view *core.View) *Nodes {
	now := make([]agentKey, 0, view.AgentCount())
	for a := range view.Agents() {
		if a.State != cluster.AgentGone && len(now) < MaxAgents {
			now = append(now, agentKey{a.Info.ID, a.Info.Host})
		}
	}
	if b.last != nil && slices.Equal(now, b.agents) {
		return b.last.nodes
	}
	b.agents = now
	n := &Nodes{Index: view.Index(), Master: b.cfg.Master}
	for _, a := range now {
		if addr := address(a.host); addr.IsValid() && names.Valid(string(a.id)) {
			n.Agents = append(n.Agents, Agent{ID: a.id, Addr: addr})
		}
	}
	return n.seal()
}

// address is a host as an address; the zero value when it is a name.
func address(host string) netip.Addr {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a.Unmap()
}

// allocate gives a virtual address to each endpoint that has none, to those of
// older services first, after it took back those of endpoints that went.
func (b *Builder) allocate(records []*core.Service) {
	same := len(records) == len(b.memo)
	for _, r := range records {
		m := b.memo[r.Spec.ID]
		same = same && m != nil && m.record == r
	}
	if same {
		return
	}
	byAge := slices.Clone(records)
	slices.SortStableFunc(byAge, func(x, y *core.Service) int { return cmp.Compare(x.Created, y.Created) })
	var wanted []string
	for _, r := range byAge {
		for _, e := range r.Spec.Endpoints[:min(len(r.Spec.Endpoints), MaxEndpoints)] {
			if names.Valid(e.Name) {
				wanted = append(wanted, vipName(r.Spec.ID, e.Name))
			}
		}
	}
	b.vips.settle(wanted)
}
