package core

import (
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Weight is how much a role counts among its siblings.
type Weight struct {
	Role   cluster.Role `json:"role"`
	Weight int64        `json:"weight_milli"` // thousandths; 1000 where none is set
}

const (
	// MaxQuotas is how many roles can have a quota, and how many a weight.
	MaxQuotas = 4096
	// MaxWeight bounds a weight, in thousandths.
	MaxWeight = 1_000_000_000
)

// putQuota sets the quotas of roles, all or none. One without a guarantee and a
// limit goes.
func (s *State) putQuota(c PutQuota) {
	if len(c.Quotas) == 0 || len(c.Quotas) > MaxQuotas {
		s.refuse(CodeInvalid, Event{}, "%d quotas, it must be 1 to %d", len(c.Quotas), MaxQuotas)
		return
	}
	wanted := map[cluster.Role]bool{}
	n := s.v.quotas.n
	for _, q := range c.Quotas {
		if err := q.Validate(); err != nil {
			s.refuse(CodeInvalid, Event{}, "%v", err)
			return
		}
		if wanted[q.Role] {
			s.refuse(CodeInvalid, Event{}, "quota of %q is there twice", q.Role)
			return
		}
		wanted[q.Role] = true
		if s.v.Quota(q.Role) == nil {
			n++
		}
		if used := s.v.Consumed(q.Role); !c.Force && !used.Within(q.Ceiling()) {
			s.refuse(CodeConflict, Event{}, "quota of %q: it holds more than the limit now; end tasks or reservations first, or force it", q.Role)
			return
		}
	}
	if n > MaxQuotas {
		s.refuse(CodeConflict, Event{}, "there would be %d quotas, over the limit of %d; remove one first", n, MaxQuotas)
		return
	}
	if !c.Force && !s.guaranteesFit(c.Quotas, wanted) {
		s.refuse(CodeConflict, Event{}, "the guarantees of all roles are more than the cluster has; lower one, add agents, or force it")
		return
	}
	for _, q := range c.Quotas {
		if q.Guarantee == (cluster.Scalars{}) && q.Limit == nil {
			s.v.quotas.drop(string(q.Role))
		} else {
			s.v.quotas.put(string(q.Role), &q)
		}
	}
	s.emit(Event{Kind: EventQuotaPut})
}

// guaranteesFit reports whether the cluster has what is guaranteed in all.
func (s *State) guaranteesFit(quotas []cluster.Quota, wanted map[cluster.Role]bool) bool {
	left := cluster.Scalars{CPU: s.v.total.CPU, Mem: s.v.total.Mem, Disk: s.v.total.Disk, GPUs: s.v.total.GPUs}
	for q := range s.v.Quotas() {
		if !wanted[q.Role] {
			left = left.Minus(q.Guarantee)
		}
	}
	for _, q := range quotas {
		if left = left.Minus(q.Guarantee); left.Floor() != left {
			return false // at the first: no sum grows beyond two guarantees
		}
	}
	return true
}

// putWeights sets the weights of roles, all or none. One of 0 goes.
func (s *State) putWeights(c PutWeights) {
	if len(c.Weights) == 0 || len(c.Weights) > MaxQuotas {
		s.refuse(CodeInvalid, Event{}, "%d weights, it must be 1 to %d", len(c.Weights), MaxQuotas)
		return
	}
	n := s.v.weights.n
	for _, w := range c.Weights {
		if _, there := s.v.weights.get(string(w.Role)); !there {
			n++
		}
		if !cluster.ValidRole(w.Role) || w.Weight < 0 || w.Weight > MaxWeight {
			s.refuse(CodeInvalid, Event{}, "weight %d of role %q: the role is malformed, or the weight not 0 to %d", w.Weight, bounded(string(w.Role), cluster.MaxRole), MaxWeight)
			return
		}
	}
	if n > MaxQuotas {
		s.refuse(CodeConflict, Event{}, "there would be %d weights, over the limit of %d; remove one first", n, MaxQuotas)
		return
	}
	for _, w := range c.Weights {
		if w.Weight == 0 {
			s.v.weights.drop(string(w.Role))
		} else {
			s.v.weights.put(string(w.Role), w)
		}
	}
	s.emit(Event{Kind: EventWeightsPut})
}

// Consumed is what a top-level role and all below it take of the cluster: what
// their tasks hold, and what is reserved for them and not held.
func (v *View) Consumed(role cluster.Role) cluster.Scalars {
	var out cluster.Scalars
	for u := range v.Usage() {
		if u.Role.Top() == role {
			out = out.Plus(cluster.Scalars{CPU: u.CPU, Mem: u.Mem, Disk: u.Disk, GPUs: u.GPUs})
		}
	}
	for a := range v.Agents() {
		if a.State == cluster.AgentGone || len(a.Reserved) == 0 {
			continue
		}
		for _, r := range a.Reserved.Minus(a.Held) {
			if r.Stack.Role().Top() == role {
				out = out.Plus(r.Flat().Scalars())
			}
		}
	}
	return out
}
