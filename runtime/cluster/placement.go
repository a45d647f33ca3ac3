package cluster

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// MaxPriority bounds the priority of a service, both ways.
const MaxPriority = 1000

// Operator is how a Constraint looks at an attribute, in the words of Marathon.
type Operator string

// The operators.
const (
	OpUnique  Operator = "UNIQUE"   // no two instances on agents with the same value
	OpMaxPer  Operator = "MAX_PER"  // at most Value instances on agents with the same value
	OpGroupBy Operator = "GROUP_BY" // instances spread evenly over the values; Value, if there is one, is how many there are at least
	OpCluster Operator = "CLUSTER"  // all on agents with Value; without one, all on agents with the same value
	OpLike    Operator = "LIKE"     // on agents whose value the regular expression Value matches as a whole
	OpUnlike  Operator = "UNLIKE"   // on agents whose value it does not match, or that have none
	OpIs      Operator = "IS"       // on agents whose value is Value
)

// The attributes of a Constraint that every agent has.
const (
	AttributeHostname = "@hostname" // Agent.Hostname
	AttributeRegion   = "@region"   // Domain.Region; empty where there is no domain
	AttributeZone     = "@zone"     // Domain.Zone; empty where there is no domain
)

// Constraint is a rule on the agents that instances of a pod are placed on. An
// agent without the attribute satisfies UNLIKE only.
type Constraint struct {
	Attribute string   `json:"attribute"` // of the agent, or one of Attribute…
	Operator  Operator `json:"operator"`
	Value     string   `json:"value,omitempty"`
}

const (
	// MaxConstraints bounds the placement rules of one pod.
	MaxConstraints = 32
	// MaxPattern bounds the regular expression of LIKE and UNLIKE, in bytes.
	MaxPattern = 255
	// MaxProgram bounds it as it is compiled, in instructions: a repetition makes
	// a short text large.
	MaxProgram = 1000
	// MaxSpread bounds the number in MAX_PER and GROUP_BY.
	MaxSpread = 10_000
)

// Validate says what is wrong with a rule by itself.
func (c Constraint) Validate() error {
	switch {
	case c.Attribute == "" || !isText(c.Attribute):
		return fmt.Errorf("attribute %q is empty, over %d bytes or not plain text", cut(c.Attribute), MaxText)
	case c.Attribute[0] == '@' && c.Attribute != AttributeHostname && c.Attribute != AttributeRegion && c.Attribute != AttributeZone:
		return fmt.Errorf("attribute %q is none of %s, %s and %s", c.Attribute, AttributeHostname, AttributeRegion, AttributeZone)
	case !isText(c.Value):
		return fmt.Errorf("the value is over %d bytes or not plain text", MaxText)
	}
	if err := c.validateValue(); err != nil {
		return fmt.Errorf("%s %s: %w", c.Attribute, cut(string(c.Operator)), err)
	}
	return nil
}

// validateValue checks what an operator makes of the value.
func (c Constraint) validateValue() error {
	switch c.Operator {
	case OpUnique:
		if c.Value != "" {
			return errors.New("it takes no value")
		}
	case OpMaxPer:
		return validateSpread(c.Value)
	case OpGroupBy:
		if c.Value != "" {
			return validateSpread(c.Value)
		}
	case OpCluster:
	case OpIs:
		if c.Value == "" {
			return errors.New("it must have a value")
		}
	case OpLike, OpUnlike:
		_, err := CompilePattern(c.Value)
		return err
	default:
		return errors.New("it is none of UNIQUE, MAX_PER, GROUP_BY, CLUSTER, LIKE, UNLIKE and IS")
	}
	return nil
}

func validateSpread(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > MaxSpread {
		return fmt.Errorf("value %q is not a number from 1 to %d", cut(value), MaxSpread)
	}
	return nil
}

// CompilePattern reads the regular expression of LIKE and UNLIKE, in the syntax
// of RE2. What it gives matches a value as a whole only.
func CompilePattern(pattern string) (*regexp.Regexp, error) {
	if pattern == "" || len(pattern) > MaxPattern {
		return nil, fmt.Errorf("a regular expression of %d bytes, it must have 1 to %d", len(pattern), MaxPattern)
	}
	if _, err := syntax.Parse(pattern, syntax.Perl); err != nil { // alone, or a lone ")" would close the group around it
		return nil, fmt.Errorf("it is no regular expression of RE2: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	whole := `^(?:` + pattern + `)$`
	tree, err := syntax.Parse(whole, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", pattern, err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("%q: %w", pattern, err)
	}
	if n := len(program.Inst); n > MaxProgram {
		return nil, fmt.Errorf("%q compiles to %d instructions, over the limit of %d", pattern, n, MaxProgram)
	}
	return regexp.Compile(whole)
}

// ValidatePriority says whether a priority is out of its bounds.
func ValidatePriority(n int) error {
	if n < -MaxPriority || n > MaxPriority {
		return fmt.Errorf("priority %d is not from %d to %d", n, -MaxPriority, MaxPriority)
	}
	return nil
}

// ValidateRules says what is wrong with where a pod's instances may be and how
// they are reached: placement, MinReady, network, ports and volume mounts.
func (p PodSpec) ValidateRules() error {
	if len(p.Placement) > MaxConstraints {
		return fmt.Errorf("placement: %d rules, over the limit of %d", len(p.Placement), MaxConstraints)
	}
	for i, c := range p.Placement {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("placement: rule %d: %w", i+1, err)
		}
	}
	// A pod that is scaled to nothing keeps its number for later.
	if p.MinReady < 0 || p.MinReady > p.Count && p.Count > 0 {
		return fmt.Errorf("min_ready: %d is not from 0 to the %d instances", p.MinReady, p.Count)
	}
	if p.Network != "" && !isName(p.Network) {
		return fmt.Errorf("network: name %q is not a letter and up to 62 more of a-z, 0-9 and -", cut(p.Network))
	}
	for _, t := range p.Tasks {
		for _, port := range t.Ports {
			if port.Listen != 0 && p.Network == "" {
				return fmt.Errorf("task %q: port %q: it can listen on a port of its own only in a network", t.Name, port.Name)
			}
		}
		if err := ValidateVolumeMounts(t.Container.Volumes); err != nil {
			return fmt.Errorf("task %q: %w", t.Name, err)
		}
	}
	return nil
}
