package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reservation keeps resources for a role: one layer of a Stack.
type Reservation struct {
	Role      Role              `json:"role"`
	Static    bool              `json:"static,omitempty"`    // the agent registered with it; else an operation made it
	Principal string            `json:"principal,omitempty"` // who made it
	Labels    map[string]string `json:"labels,omitempty"`    // two reservations with other labels never mix
}

// Stack is reservations of the same resources, each one refined by the next for
// a role below: the first is the widest, the last says who can use them.
type Stack []Reservation

// Role is the role that resources with this stack are kept for.
func (s Stack) Role() Role {
	if len(s) == 0 {
		return DefaultRole
	}
	return s[len(s)-1].Role
}

// For reports whether a role may be offered resources with this stack: it is
// the stack's role or below it.
func (s Stack) For(role Role) bool { return len(s) == 0 || s.Role() == role || Below(role, s.Role()) }

// Below reports whether a role is strictly below another in the tree of roles.
func Below(role, above Role) bool {
	return len(role) > len(above) && role[len(above)] == '/' && role[:len(above)] == above
}

// Compare orders stacks; 0 means that their resources are of one kind.
func (s Stack) Compare(o Stack) int {
	return slices.CompareFunc(s, o, func(a, b Reservation) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), boolCompare(a.Static, b.Static), cmp.Compare(a.Principal, b.Principal),
			compareLabels(a.Labels, b.Labels))
	})
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func compareLabels(a, b map[string]string) int {
	if maps.Equal(a, b) {
		return 0
	}
	ka, kb := sortedKeys(a), sortedKeys(b)
	for i := range min(len(ka), len(kb)) {
		if d := cmp.Or(cmp.Compare(ka[i], kb[i]), cmp.Compare(a[ka[i]], b[kb[i]])); d != 0 {
			return d
		}
	}
	return cmp.Compare(len(ka), len(kb))
}

// String is the roles of a stack, widest first: "eng,eng/web".
func (s Stack) String() string {
	parts := make([]string, len(s))
	for i, r := range s {
		parts[i] = string(r.Role)
	}
	return strings.Join(parts, ",")
}

// Volume is disk that outlives the tasks that use it.
type Volume struct {
	ID        string `json:"id"`                  // unique among the volumes of its role on its agent
	Path      string `json:"path"`                // in the container, relative to its sandbox
	Size      int64  `json:"size_bytes"`          // of its stack's disk
	Principal string `json:"principal,omitempty"` // who made it
}

// Reserved is resources with one stack.
type Reserved struct {
	Stack     Stack     `json:"stack"`
	Resources Resources `json:"resources"`         // without what the volumes take
	Volumes   []Volume  `json:"volumes,omitempty"` // by id
}

// Flat is the amounts, as if nothing were reserved.
func (r Reserved) Flat() Resources {
	out := r.Resources
	for _, v := range r.Volumes {
		out.Disk += v.Size
	}
	return out
}

func (r Reserved) empty() bool { return r.Resources.IsZero() && len(r.Volumes) == 0 }

func (r Reserved) equal(o Reserved) bool {
	return r.Stack.Compare(o.Stack) == 0 && r.Resources.Equal(o.Resources) && slices.Equal(r.Volumes, o.Volumes)
}

func (r Reserved) plus(o Reserved) Reserved {
	out := Reserved{Stack: r.Stack, Resources: r.Resources.Plus(o.Resources), Volumes: slices.Concat(r.Volumes, o.Volumes)}
	slices.SortFunc(out.Volumes, func(a, b Volume) int { return cmp.Compare(a.ID, b.ID) })
	if len(out.Volumes) == 0 {
		out.Volumes = nil
	}
	return out
}

func (r Reserved) minus(o Reserved) Reserved {
	out := Reserved{Stack: r.Stack, Resources: r.Resources.Minus(o.Resources)}
	for _, v := range r.Volumes {
		if !slices.Contains(o.Volumes, v) {
			out.Volumes = append(out.Volumes, v)
		}
	}
	return out
}

// Reserves is reserved resources by stack, in canonical form: sorted by stack,
// each stack once, none empty. The nil value is nothing. Treat it as immutable.
type Reserves []Reserved

// NewReserves makes the canonical form; what has the same stack is added up.
func NewReserves(rs ...Reserved) Reserves {
	var out Reserves
	for _, r := range rs {
		if !r.empty() {
			out = out.Plus(Reserves{r})
		}
	}
	return out
}

// Of gives what has a stack; nothing when there is none.
func (r Reserves) Of(s Stack) Reserved {
	for _, x := range r {
		if x.Stack.Compare(s) == 0 {
			return x
		}
	}
	return Reserved{Stack: s}
}

// For gives what a role may be offered.
func (r Reserves) For(role Role) Reserves {
	var out Reserves
	for _, x := range r {
		if x.Stack.For(role) {
			out = append(out, x)
		}
	}
	return out
}

// Flat is the amounts of all stacks, as if nothing were reserved.
func (r Reserves) Flat() Resources {
	var out Resources
	for _, x := range r {
		out = out.Plus(x.Flat())
	}
	return out
}

// Plus is r and o together.
func (r Reserves) Plus(o Reserves) Reserves {
	if len(o) == 0 {
		return r
	}
	if len(r) == 0 {
		return o
	}
	return r.merge(o, Reserved.plus)
}

// Minus is what is left of r without o. A scalar can become negative: callers
// that must not overdraw ask Pool.Missing first.
func (r Reserves) Minus(o Reserves) Reserves {
	if len(o) == 0 {
		return r
	}
	return r.merge(o, Reserved.minus)
}

// Equal reports whether r and o are the same.
func (r Reserves) Equal(o Reserves) bool { return slices.EqualFunc(r, o, Reserved.equal) }

// merge walks r and o by stack and keeps what f gives, unless it is nothing.
func (r Reserves) merge(o Reserves, f func(a, b Reserved) Reserved) Reserves {
	var out Reserves
	for len(r) > 0 || len(o) > 0 {
		var x Reserved
		d := -1
		if len(r) == 0 {
			d = 1
		} else if len(o) > 0 {
			d = r[0].Stack.Compare(o[0].Stack)
		}
		switch {
		case d < 0:
			x, r = f(r[0], Reserved{Stack: r[0].Stack}), r[1:]
		case d > 0:
			x, o = f(Reserved{Stack: o[0].Stack}, o[0]), o[1:]
		default:
			x, r, o = f(r[0], o[0]), r[1:], o[1:]
		}
		if !x.empty() {
			out = append(out, x)
		}
	}
	return out
}

// missing says what of o is not in r; the names are marked with the role.
func (r Reserves) missing(o Reserves) []Shortfall {
	var out []Shortfall
	for _, need := range o {
		have := r.Of(need.Stack)
		for _, s := range Fits(have.Resources, need.Resources) {
			s.Resource += "(" + string(need.Stack.Role()) + ")"
			out = append(out, s)
		}
		for _, v := range need.Volumes {
			if !slices.Contains(have.Volumes, v) {
				out = append(out, Shortfall{fmt.Sprintf("volume %s(%s)", v.ID, need.Stack.Role()), "no such volume free", Bytes(v.Size)})
			}
		}
	}
	return out
}

// Pool is resources of which some are reserved: what an agent has left, an
// offer holds and a task asks for.
type Pool struct {
	Open     Resources `json:"open"` // not reserved
	Reserved Reserves  `json:"reserved,omitempty"`
}

// Flat is the amounts, as if nothing were reserved.
func (p Pool) Flat() Resources { return p.Open.Plus(p.Reserved.Flat()) }

// Plus is p and o together.
func (p Pool) Plus(o Pool) Pool { return Pool{p.Open.Plus(o.Open), p.Reserved.Plus(o.Reserved)} }

// Minus is what is left of p without o.
func (p Pool) Minus(o Pool) Pool { return Pool{p.Open.Minus(o.Open), p.Reserved.Minus(o.Reserved)} }

// IsZero reports whether p is nothing.
func (p Pool) IsZero() bool { return p.Open.IsZero() && len(p.Reserved) == 0 }

// Equal reports whether p and o are the same.
func (p Pool) Equal(o Pool) bool { return p.Open.Equal(o.Open) && p.Reserved.Equal(o.Reserved) }

// Missing is Fits where some is reserved: each stack must fit by itself.
func (p Pool) Missing(need Pool) []Shortfall {
	out := Fits(p.Open, need.Open)
	if len(need.Reserved) == 0 {
		return out
	}
	return append(out, p.Reserved.missing(need.Reserved)...)
}

// Draw takes need out of p for a role: as much as it can of what is reserved for
// it, the narrowest stacks first, then of what is open. Volumes are left alone:
// they are for whom knows their data. It reports false when need does not fit.
func (p Pool) Draw(role Role, need Resources) (Pool, bool) {
	var out Pool
	order := slices.Clone(p.Reserved.For(role))
	slices.SortStableFunc(order, func(a, b Reserved) int { return cmp.Compare(len(b.Stack), len(a.Stack)) })
	for _, x := range order {
		part := common(x.Resources, need)
		if part.IsZero() {
			continue
		}
		out.Reserved = out.Reserved.Plus(Reserves{{Stack: x.Stack, Resources: part}})
		need = need.Minus(part)
	}
	out.Open = need
	return out, Fits(p.Open, need) == nil
}

// common is the largest amount that fits into both.
func common(a, b Resources) Resources {
	out := Resources{CPU: min(a.CPU, b.CPU), Mem: min(a.Mem, b.Mem), Disk: min(a.Disk, b.Disk), GPUs: min(a.GPUs, b.GPUs),
		Ports: a.Ports.Minus(a.Ports.Minus(b.Ports))}
	for _, n := range b.Extra {
		have := a.Extra.Named(n.Name)
		items := slices.DeleteFunc(slices.Clone(n.Items), func(it string) bool { return !containsAll(have.Items, []string{it}) })
		both := Named{Name: n.Name, Milli: min(n.Milli, have.Milli), Ranges: minusRanges(n.Ranges, minusRanges(n.Ranges, have.Ranges)), Items: items}
		if !both.empty() {
			out.Extra = append(out.Extra, both)
		}
	}
	return out
}
