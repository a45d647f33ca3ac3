package cluster

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// OperationKind is what a framework does with offered resources beside
// launching tasks, in the words of Mesos.
type OperationKind string

// The operations.
const (
	OpReserve   OperationKind = "RESERVE"   // Resources get the last layer of Stack; before, they have the layers under it
	OpUnreserve OperationKind = "UNRESERVE" // Resources lose the last layer of Stack
	OpCreate    OperationKind = "CREATE"    // Volume is made of the disk with Stack
	OpDestroy   OperationKind = "DESTROY"   // Volume with Stack ends with its data; only its id counts
)

// Operation changes how resources of one agent are bound.
type Operation struct {
	ID        string        `json:"id,omitempty"` // chosen by the framework; its events carry it
	Kind      OperationKind `json:"kind"`
	Stack     Stack         `json:"stack"`
	Resources Resources     `json:"resources,omitzero"`
	Volume    *Volume       `json:"volume,omitempty"`
}

const (
	// MaxStack is how many layers a stack can have.
	MaxStack = 8
	// MaxReserved is how many different stacks an agent can have.
	MaxReserved = 1024
	// MaxVolumes is how many volumes an agent can have.
	MaxVolumes = 1024
)

// Validate says what is wrong with an operation by itself.
func (o Operation) Validate() error {
	if err := o.Stack.Validate(); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	if !isText(o.ID) {
		return fmt.Errorf("id: over %d bytes or not plain text", MaxText)
	}
	switch o.Kind {
	case OpReserve, OpUnreserve:
		if o.Stack[len(o.Stack)-1].Static {
			return fmt.Errorf("stack: a static reservation of role %q is the agent's own and stays", o.Stack.Role())
		}
		if err := o.Resources.Validate(); err != nil {
			return fmt.Errorf("resources: %w", err)
		}
		if o.Resources.IsZero() || o.Volume != nil {
			return errors.New("it must name resources and no volume")
		}
	case OpCreate:
		if o.Volume == nil || !o.Resources.IsZero() {
			return errors.New("it must name a volume and no resources")
		}
		if err := o.Volume.Validate(); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
	case OpDestroy:
		if o.Volume == nil || !o.Resources.IsZero() {
			return errors.New("it must name a volume and no resources")
		}
	default:
		return fmt.Errorf("kind %q is none of RESERVE, UNRESERVE, CREATE and DESTROY", cut(string(o.Kind)))
	}
	return nil
}

// Validate says what is wrong with a stack: it must have layers, each for a
// role below the one before, and only the first can be static.
func (s Stack) Validate() error {
	if len(s) == 0 || len(s) > MaxStack {
		return fmt.Errorf("%d layers, it must have 1 to %d", len(s), MaxStack)
	}
	for i, r := range s {
		switch {
		case !ValidRole(r.Role) || r.Role == DefaultRole:
			return fmt.Errorf("role %q is malformed or cannot be reserved for", cut(string(r.Role)))
		case i > 0 && !Below(r.Role, s[i-1].Role):
			return fmt.Errorf("role %q is not below %q", r.Role, s[i-1].Role)
		case i > 0 && r.Static:
			return fmt.Errorf("role %q: a refinement cannot be static", r.Role)
		case !isText(r.Principal):
			return fmt.Errorf("role %q: the principal is over %d bytes or not plain text", r.Role, MaxText)
		}
		if err := validateLabels(r.Labels); err != nil {
			return fmt.Errorf("role %q: labels: %w", r.Role, err)
		}
	}
	return nil
}

func isVolumeID(s string) bool {
	return s != "" && isText(s) && !strings.ContainsAny(s, `/\`) && s != "." && s != ".."
}

// Validate says what is wrong with a volume.
func (v Volume) Validate() error {
	clean := path.Clean(v.Path)
	switch {
	case !isVolumeID(v.ID):
		return fmt.Errorf("id %q is empty, too long, or holds a slash", cut(v.ID))
	case v.Size <= 0 || v.Size > MaxAmount:
		return fmt.Errorf("size of %d bytes is not 1 to %d", v.Size, MaxAmount)
	case v.Path == "" || !isText(v.Path) || path.IsAbs(v.Path) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../"):
		return fmt.Errorf("path %q is not relative and inside the sandbox", cut(v.Path))
	case !isText(v.Principal):
		return fmt.Errorf("the principal is over %d bytes or not plain text", MaxText)
	}
	return nil
}

// Do gives p as it is after an operation. It is an error when p lacks what the
// operation needs; then p stays as it is.
func (p Pool) Do(o Operation) (Pool, error) {
	under := o.Stack[:len(o.Stack)-1]
	switch o.Kind {
	case OpReserve:
		return p.move(under, o.Stack, o.Resources)
	case OpUnreserve:
		return p.move(o.Stack, under, o.Resources)
	case OpCreate:
		have := p.Reserved.Of(o.Stack)
		if have.Resources.Disk < o.Volume.Size {
			return p, fmt.Errorf("volume %q needs %s of the disk of %q, free are %s", o.Volume.ID, Bytes(o.Volume.Size), o.Stack, Bytes(have.Resources.Disk))
		}
		p.Reserved = p.Reserved.Minus(Reserves{{Stack: o.Stack, Resources: Resources{Disk: o.Volume.Size}}}).
			Plus(Reserves{{Stack: o.Stack, Volumes: []Volume{*o.Volume}}})
		return p, nil
	}
	vols := p.Reserved.Of(o.Stack).Volumes
	i := slices.IndexFunc(vols, func(v Volume) bool { return v.ID == o.Volume.ID })
	if i < 0 {
		return p, fmt.Errorf("volume %q of %q is not there, or in use", o.Volume.ID, o.Stack)
	}
	p.Reserved = p.Reserved.Minus(Reserves{{Stack: o.Stack, Volumes: vols[i : i+1]}}).
		Plus(Reserves{{Stack: o.Stack, Resources: Resources{Disk: vols[i].Size}}})
	return p, nil
}

// move binds resources to another stack; the empty one is that of the open.
func (p Pool) move(from, to Stack, r Resources) (Pool, error) {
	one := func(s Stack) Pool {
		if len(s) == 0 {
			return Pool{Open: r}
		}
		return Pool{Reserved: Reserves{{Stack: s, Resources: r}}}
	}
	if short := p.Missing(one(from)); short != nil {
		return p, fmt.Errorf("it does not fit: %s", short[0])
	}
	return p.Minus(one(from)).Plus(one(to)), nil
}

// Validate says what is wrong with reserved resources that came from outside.
func (r Reserves) Validate() error {
	volumes := 0
	for i, x := range r {
		if err := x.Stack.Validate(); err != nil {
			return err
		}
		if err := x.Resources.Validate(); err != nil {
			return fmt.Errorf("reserved for %q: %w", x.Stack, err)
		}
		if x.empty() || i > 0 && r[i-1].Stack.Compare(x.Stack) >= 0 {
			return fmt.Errorf("reserved for %q: empty, or stacks are not in order", x.Stack)
		}
		volumes += len(x.Volumes)
		for j, v := range x.Volumes {
			if err := v.Validate(); err != nil {
				return fmt.Errorf("reserved for %q: volume: %w", x.Stack, err)
			}
			if j > 0 && x.Volumes[j-1].ID >= v.ID {
				return fmt.Errorf("reserved for %q: volume %q is there twice or not in order", x.Stack, v.ID)
			}
		}
	}
	if len(r) > MaxReserved || volumes > MaxVolumes {
		return fmt.Errorf("%d stacks and %d volumes, over the limits of %d and %d", len(r), volumes, MaxReserved, MaxVolumes)
	}
	return nil
}

// validateReserved checks an agent's static reservations.
func (a Agent) validateReserved() error {
	if len(a.Reserved) == 0 {
		return nil
	}
	if err := a.Reserved.Validate(); err != nil {
		return err
	}
	for _, x := range a.Reserved {
		if len(x.Stack) != 1 || !x.Stack[0].Static || len(x.Volumes) > 0 {
			return fmt.Errorf("reserved for %q: an agent registers with static reservations of one layer, without volumes", x.Stack)
		}
	}
	var sum Resources
	for _, x := range a.Reserved {
		if sum.Overlaps(x.Resources) {
			return fmt.Errorf("reserved for %q: a port, number or item is reserved twice", x.Stack)
		}
		sum = sum.Plus(x.Resources)
		if short := Fits(a.Total, sum); short != nil {
			return fmt.Errorf("reserved for %q: more than the agent has: %s", x.Stack, short[0])
		}
	}
	return nil
}
