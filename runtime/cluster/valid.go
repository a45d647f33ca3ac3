package cluster

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of what an agent has, a task asks for and a reservation holds. What
// comes from outside is checked against them by Validate, so that no sum over a
// cluster of MaxAgents leaves an int64.
const (
	// MaxAmount bounds each scalar: 1 PiB, or 2^50 thousandths.
	MaxAmount int64 = 1 << 50
	// MaxAgents is how many agents one cluster can have: MaxAmount of each can be added up.
	MaxAgents = 8191
	// MaxExtra is how many named resources one amount can have.
	MaxExtra = 64
	// MaxItems bounds the items of a set, and the ranges of a range resource.
	MaxItems = 4096
	// MaxResourceName bounds the name of a resource and an item of a set, in bytes.
	MaxResourceName = 63
	// MaxText bounds a short text: an attribute, a label, an address; in bytes.
	MaxText = 255
	// MaxAttributes bounds the attributes of an agent and the labels of a reservation.
	MaxAttributes = 64
)

// Validate says what is wrong with an amount that came from outside: a scalar
// that is negative or huge, or a part that is not in canonical form. It names
// the place.
func (r Resources) Validate() error {
	for _, s := range [...]struct {
		name string
		n    int64
	}{{"cpus", r.CPU}, {"mem", r.Mem}, {"disk", r.Disk}, {"gpus", r.GPUs}} {
		if s.n < 0 {
			return fmt.Errorf("%s: %d is less than nothing", s.name, s.n)
		}
		if s.n > MaxAmount {
			return fmt.Errorf("%s: %d is more than any machine has", s.name, s.n)
		}
	}
	if err := r.Ports.validate(); err != nil {
		return fmt.Errorf("ports: %w", err)
	}
	if len(r.Extra) > MaxExtra {
		return fmt.Errorf("%d named resources, over the limit of %d", len(r.Extra), MaxExtra)
	}
	for i, n := range r.Extra {
		if err := n.validate(); err != nil {
			return fmt.Errorf("resource %q: %w", cut(n.Name), err)
		}
		if i > 0 && r.Extra[i-1].Name >= n.Name {
			return fmt.Errorf("resource %q: names are not in order, or there twice", n.Name)
		}
	}
	return nil
}

func (p Ports) validate() error {
	for i, r := range p {
		if r.Lo == 0 || r.Lo > r.Hi || i > 0 && int(r.Lo) <= int(p[i-1].Hi)+1 {
			return fmt.Errorf("%d-%d has port 0, is upside down, or is not after and apart from the range before", r.Lo, r.Hi)
		}
	}
	return nil
}

var errKind = errors.New("it must be a positive scalar, ranges or a set, and one of them only")

func (n Named) validate() error {
	if !isResourceName(n.Name) {
		return fmt.Errorf("its name is not 1 to %d of a-z, A-Z, 0-9, ., - and _, or is that of a common resource", MaxResourceName)
	}
	kinds := 0
	for _, is := range [...]bool{n.Milli != 0, len(n.Ranges) > 0, len(n.Items) > 0} {
		if is {
			kinds++
		}
	}
	switch {
	case kinds != 1 || n.Milli < 0:
		return errKind
	case n.Milli > MaxAmount:
		return fmt.Errorf("%d thousandths are more than any machine has", n.Milli)
	case len(n.Ranges) > MaxItems || len(n.Items) > MaxItems:
		return fmt.Errorf("%d ranges or items, over the limit of %d", max(len(n.Ranges), len(n.Items)), MaxItems)
	}
	for i, r := range n.Ranges {
		if r.Lo < 0 || r.Lo > r.Hi || r.Hi > MaxAmount || i > 0 && r.Lo <= n.Ranges[i-1].Hi+1 {
			return fmt.Errorf("%d-%d is negative, upside down, too high, or not after and apart from the range before", r.Lo, r.Hi)
		}
	}
	for i, it := range n.Items {
		if !isItem(it) || i > 0 && n.Items[i-1] >= it {
			return fmt.Errorf("item %q is empty, too long, not plain text, or not in order", cut(it))
		}
	}
	return nil
}

// isResourceName reports whether s can name a resource beside the common ones.
func isResourceName(s string) bool {
	switch s {
	case "cpus", "mem", "disk", "gpus", "ports":
		return false
	}
	if s == "" || len(s) > MaxResourceName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// isItem reports whether s can be an item of a set: it stands in a text form
// between braces and commas.
func isItem(s string) bool {
	return s != "" && len(s) <= MaxResourceName && isText(s) && !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return c == ',' || c == '{' || c == '}' || c == ';' || c == ' '
	})
}

// isText reports whether s is at most MaxText bytes of plain text.
func isText(s string) bool {
	if len(s) > MaxText || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return false
		}
	}
	return true
}

// cut shortens a name from outside for an error text.
func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), MaxText)], "?") }

// Milli is a decimal number in thousandths, rounded: what Mesos compares scalars
// by. It refuses what is no amount: NaN, a negative, an infinite or a huge number.
func Milli(f float64) (int64, error) {
	m := math.Round(f * 1000)
	if !(m >= 0 && m <= float64(MaxAmount)) { // NaN compares as false
		return 0, fmt.Errorf("%g is not a number from 0 to %d", f, MaxAmount/1000)
	}
	return int64(m), nil
}

// Validate says what is wrong with what an agent tells of itself, beside its id.
func (a Agent) Validate() error {
	for _, s := range [...]struct{ name, value string }{
		{"hostname", a.Hostname}, {"host", a.Host}, {"url", a.URL}, {"version", a.Version},
	} {
		if !isText(s.value) {
			return fmt.Errorf("%s: over %d bytes or not plain text", s.name, MaxText)
		}
	}
	if err := a.Total.Validate(); err != nil {
		return fmt.Errorf("total: %w", err)
	}
	if err := validateLabels(a.Attributes); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	if d := a.Domain; d != nil && (!isText(d.Region) || !isText(d.Zone) || d.Region == "" || d.Zone == "") {
		return errors.New("domain: region and zone must both be named, in plain text")
	}
	return a.validateReserved()
}

func validateLabels(m map[string]string) error {
	if len(m) > MaxAttributes {
		return fmt.Errorf("%d, over the limit of %d", len(m), MaxAttributes)
	}
	for _, k := range sortedKeys(m) {
		if k == "" || !isText(k) || !isText(m[k]) {
			return fmt.Errorf("%q: the name is empty, or one of both is over %d bytes or not plain text", cut(k), MaxText)
		}
	}
	return nil
}
