package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxResourceText bounds the text that ParseResources reads, in bytes.
const MaxResourceText = 64 << 10

// mebi is the unit of mem and disk in the text form of Mesos.
const mebi = 1 << 20

// ParseResources reads the text form of Mesos (docs/attributes-resources.md):
//
//	cpus:24;mem:24576;disk:409600;ports:[21000-24000];bugs(eng):{a,b}
//
// mem and disk are in MiB. What is marked with a role is reserved for it by a
// static reservation, and counts in the total too.
func ParseResources(text string) (total Resources, reserved Reserves, err error) {
	if len(text) > MaxResourceText {
		return Resources{}, nil, fmt.Errorf("resources: %d bytes, over the limit of %d", len(text), MaxResourceText)
	}
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		role, r, err := parseResource(part)
		if err != nil {
			return Resources{}, nil, fmt.Errorf("resources: %q: %w", cut(part), err)
		}
		if total.Overlaps(r) {
			return Resources{}, nil, fmt.Errorf("resources: %q: a port, number or item is there twice", cut(part))
		}
		total = total.Plus(r)
		if err := total.Validate(); err != nil {
			return Resources{}, nil, fmt.Errorf("resources: %q: %w", cut(part), err)
		}
		if role != DefaultRole && !r.IsZero() {
			reserved = reserved.Plus(Reserves{{Stack: Stack{{Role: role, Static: true}}, Resources: r}})
		}
	}
	if err := (Agent{Total: total, Reserved: reserved}).validateReserved(); err != nil {
		return Resources{}, nil, fmt.Errorf("resources: %w", err)
	}
	return total, reserved, nil
}

// parseResource reads "name(role):value".
func parseResource(part string) (Role, Resources, error) {
	name, value, ok := strings.Cut(part, ":")
	if !ok {
		return "", Resources{}, fmt.Errorf("there is no colon")
	}
	role := DefaultRole
	if n, r, ok := strings.Cut(name, "("); ok {
		r, ok = strings.CutSuffix(r, ")")
		if role = Role(r); !ok || !ValidRole(role) {
			return "", Resources{}, fmt.Errorf("role %q is malformed", cut(r))
		}
		name = n
	}
	r, err := parseAmount(strings.TrimSpace(name), strings.TrimSpace(value))
	return role, r, err
}

func parseAmount(name, value string) (Resources, error) {
	switch name {
	case "cpus", "mem", "disk", "gpus":
		return parseCommon(name, value)
	case "ports":
		rs, err := parseRanges(value)
		var ports []PortRange
		for _, r := range rs {
			if r.Lo < 1 || r.Hi > 65535 {
				return Resources{}, fmt.Errorf("%d-%d are not ports", r.Lo, r.Hi)
			}
			ports = append(ports, PortRange{uint16(r.Lo), uint16(r.Hi)})
		}
		return Resources{Ports: NewPorts(ports...)}, err
	}
	if !isResourceName(name) {
		return Resources{}, fmt.Errorf("name %q is not 1 to %d of a-z, A-Z, 0-9, ., - and _", cut(name), MaxResourceName)
	}
	n := Named{Name: name}
	var err error
	switch {
	case strings.HasPrefix(value, "["):
		n.Ranges, err = parseRanges(value)
	case strings.HasPrefix(value, "{"):
		n.Items, err = parseItems(value)
	default:
		n.Milli, err = parseMilli(value)
	}
	return Resources{Extra: NewExtra(n)}, err
}

func parseCommon(name, value string) (Resources, error) {
	m, err := parseMilli(value)
	if err != nil {
		return Resources{}, err
	}
	switch name {
	case "cpus":
		return Resources{CPU: m}, nil
	case "gpus":
		if m%1000 != 0 {
			return Resources{}, fmt.Errorf("%s is not a whole number", value)
		}
		return Resources{GPUs: m / 1000}, nil
	}
	if m/1000 > MaxAmount/mebi {
		return Resources{}, fmt.Errorf("%s MiB are more than any machine has", value)
	}
	bytes := (m*mebi + 500) / 1000
	if bytes > MaxAmount {
		return Resources{}, fmt.Errorf("%s MiB are more than any machine has", value)
	}
	if name == "mem" {
		return Resources{Mem: bytes}, nil
	}
	return Resources{Disk: bytes}, nil
}

func parseMilli(value string) (int64, error) {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", cut(value))
	}
	return Milli(f)
}

func parseRanges(value string) ([]Range, error) {
	inner, ok := strings.CutPrefix(value, "[")
	inner, ok2 := strings.CutSuffix(inner, "]")
	if !ok || !ok2 {
		return nil, fmt.Errorf("%q is not [lo-hi,...]", cut(value))
	}
	var out []Range
	for part := range strings.SplitSeq(inner, ",") {
		lo, hi, ok := strings.Cut(strings.TrimSpace(part), "-")
		if !ok {
			hi = lo
		}
		a, err1 := strconv.ParseInt(lo, 10, 64)
		b, err2 := strconv.ParseInt(hi, 10, 64)
		if err1 != nil || err2 != nil || a < 0 || a > b || b > MaxAmount {
			return nil, fmt.Errorf("%q is not a range", cut(part))
		}
		out = append(out, Range{a, b})
	}
	if len(out) > MaxItems {
		return nil, fmt.Errorf("%d ranges, over the limit of %d", len(out), MaxItems)
	}
	return newRanges(out), nil
}

func parseItems(value string) ([]string, error) {
	inner, ok := strings.CutSuffix(strings.TrimPrefix(value, "{"), "}")
	if !ok {
		return nil, fmt.Errorf("%q is not {a,b,...}", cut(value))
	}
	var out []string
	for part := range strings.SplitSeq(inner, ",") {
		part = strings.TrimSpace(part)
		if !isItem(part) {
			return nil, fmt.Errorf("item %q is empty, too long or not plain text", cut(part))
		}
		out = append(out, part)
	}
	if len(out) > MaxItems {
		return nil, fmt.Errorf("%d items, over the limit of %d", len(out), MaxItems)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Text is the text form of Mesos that ParseResources reads, of what is not
// reserved. Amounts of mem and disk are rounded to thousandths of a MiB.
func (r Resources) Text() string {
	var parts []string
	add := func(name, value string) { parts = append(parts, name+":"+value) }
	if r.CPU != 0 {
		add("cpus", milliText(r.CPU))
	}
	if r.Mem != 0 {
		add("mem", milliText(mebis(r.Mem)))
	}
	if r.Disk != 0 {
		add("disk", milliText(mebis(r.Disk)))
	}
	if r.GPUs != 0 {
		add("gpus", strconv.FormatInt(r.GPUs, 10))
	}
	if len(r.Ports) > 0 {
		ranges := make([]Range, len(r.Ports))
		for i, p := range r.Ports {
			ranges[i] = Range{int64(p.Lo), int64(p.Hi)}
		}
		add("ports", Named{Ranges: ranges}.amount())
	}
	for _, n := range r.Extra {
		add(n.Name, n.amount())
	}
	return strings.Join(parts, ";")
}

// mebis is bytes in thousandths of a MiB, rounded as they are read: what is
// written comes back the same.
func mebis(b int64) int64 { return b/mebi*1000 + (b%mebi*1000+mebi/2)/mebi }
