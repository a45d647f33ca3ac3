package cluster

import "fmt"

// Quota bounds what a top-level role and all below it hold: it is guaranteed at
// least Guarantee and gets at most Limit. Both speak of scalars only.
type Quota struct {
	Role      Role     `json:"role"`
	Guarantee Scalars  `json:"guarantee,omitzero"`
	Limit     *Scalars `json:"limit,omitempty"` // nil: no limit; Unlimited in it: none for that scalar
}

// Scalars is amounts of what shares are counted by.
type Scalars struct {
	CPU  int64 `json:"cpu_milli"`
	Mem  int64 `json:"mem_bytes"`
	Disk int64 `json:"disk_bytes"`
	GPUs int64 `json:"gpus,omitempty"`
}

// Unlimited in a limit is no limit for that scalar.
const Unlimited int64 = -1

// Scalars gives the amounts of r that shares are counted by.
func (r Resources) Scalars() Scalars {
	return Scalars{CPU: r.CPU, Mem: r.Mem, Disk: r.Disk, GPUs: r.GPUs}
}

// Each gives s with f done to it and o, amount by amount.
func (s Scalars) Each(o Scalars, f func(a, b int64) int64) Scalars {
	return Scalars{CPU: f(s.CPU, o.CPU), Mem: f(s.Mem, o.Mem), Disk: f(s.Disk, o.Disk), GPUs: f(s.GPUs, o.GPUs)}
}

// Plus is s and o together.
func (s Scalars) Plus(o Scalars) Scalars {
	return s.Each(o, func(a, b int64) int64 { return a + b })
}

// Minus is s without o; an amount can become negative.
func (s Scalars) Minus(o Scalars) Scalars {
	return s.Each(o, func(a, b int64) int64 { return a - b })
}

// Floor is s with nothing where it is negative.
func (s Scalars) Floor() Scalars {
	return s.Each(Scalars{}, func(a, b int64) int64 { return max(a, b) })
}

// Min is the smaller of both, amount by amount.
func (s Scalars) Min(o Scalars) Scalars {
	return s.Each(o, func(a, b int64) int64 { return min(a, b) })
}

// Within reports whether s is nowhere more than o.
func (s Scalars) Within(o Scalars) bool {
	return s.CPU <= o.CPU && s.Mem <= o.Mem && s.Disk <= o.Disk && s.GPUs <= o.GPUs
}

// Ceiling is the limit as amounts: MaxTotal where there is none.
func (q Quota) Ceiling() Scalars {
	if q.Limit == nil {
		return Scalars{MaxTotal, MaxTotal, MaxTotal, MaxTotal}
	}
	return q.Limit.Each(Scalars{}, func(a, _ int64) int64 {
		if a == Unlimited {
			return MaxTotal
		}
		return a
	})
}

// MaxTotal is as much as a whole cluster can have of anything: two of it can be
// added up.
const MaxTotal int64 = 1 << 62

// Validate says what is wrong with a quota by itself.
func (q Quota) Validate() error {
	if !ValidRole(q.Role) || q.Role == DefaultRole || q.Role.Top() != q.Role {
		return fmt.Errorf("quota is for a top-level role other than %q, not for %q", DefaultRole, cut(string(q.Role)))
	}
	g := q.Guarantee
	if (Scalars{}) != g.Min(Scalars{}) || !g.Within(Scalars{MaxTotal, MaxTotal, MaxTotal, MaxTotal}) {
		return fmt.Errorf("quota of %q: the guarantee is negative or more than a cluster can have", q.Role)
	}
	if l := q.Limit; l != nil && (min(l.CPU, l.Mem, l.Disk, l.GPUs) < Unlimited || max(l.CPU, l.Mem, l.Disk, l.GPUs) > MaxTotal) {
		return fmt.Errorf("quota of %q: the limit is negative or more than a cluster can have", q.Role)
	}
	if !g.Within(q.Ceiling()) {
		return fmt.Errorf("quota of %q: the guarantee is over the limit", q.Role)
	}
	return nil
}
