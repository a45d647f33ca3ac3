package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// placement reads where the instances of a pod may be.
func (d *decoder) placement(n *node, p *cluster.PodSpec) {
	o := d.object(n, "placement", "unique", "constraints")
	u, c := o.get("unique"), o.get("constraints")
	if u == nil && c == nil && !o.open {
		d.f.at(n.pos, "a placement has unique, constraints or both")
	}
	if u != nil {
		if s, known := d.str(u, false); known && s != "host" {
			d.f.at(u.pos, "unique is %q: want host, at most one instance of the pod on an agent", clip(s))
		}
		p.Unique = true
	}
	if c != nil {
		p.Placement = d.constraints(c)
	}
}

// constraints reads rules: a list of lists, or a text of JSON as Marathon has
// it, which an option may hold; an empty text has none.
func (d *decoder) constraints(n *node) []cluster.Constraint {
	n = d.resolve(n)
	if d.isOpen(n, "a list of rules or a text", types.ListKind, types.StringKind) {
		return nil
	}
	var rules [][]string
	switch {
	case n.kind == sequence:
		rules = d.ruleList(n)
	case n.kind == scalar && n.tag == "!!str":
		s, known := d.str(n, false)
		if !known {
			return nil
		}
		var err error
		if rules, err = marathonRules(s); err != nil {
			d.f.at(n.pos, "constraints: %v", err)
			return nil
		}
	default:
		d.f.at(n.pos, "want a list of rules such as [[hostname, UNIQUE]], or the same as a text of JSON, not %s", n.what())
		return nil
	}
	if len(rules) > cluster.MaxConstraints {
		d.f.at(n.pos, "%d rules, more than %d", len(rules), cluster.MaxConstraints)
		return nil
	}
	var out []cluster.Constraint
	for i, r := range rules {
		if r == nil {
			continue // told already, or not known yet
		}
		c, err := constraintOf(r)
		if err != nil {
			d.f.at(d.ruleAt(n, i), "rule %d: %v", i+1, err)
			continue
		}
		out = append(out, c)
	}
	return out
}

// ruleAt is the place of a rule; a text has one place for all.
func (d *decoder) ruleAt(n *node, i int) pos {
	if n.kind == sequence && i < len(n.items) {
		return n.items[i].pos
	}
	return n.pos
}

// ruleList reads rules that are written as lists. One whose words are not known
// is nil.
func (d *decoder) ruleList(n *node) [][]string {
	var out [][]string
	for _, item := range n.items {
		r := d.resolve(item)
		if r.open != nil {
			d.isOpen(r, "a list", types.ListKind)
			out = append(out, nil)
			continue
		}
		if r.kind != sequence {
			d.f.at(r.pos, "want a rule such as [hostname, UNIQUE] or [rack, MAX_PER, \"2\"], not %s", r.what())
			out = append(out, nil)
			continue
		}
		words, all := []string{}, true
		for _, w := range r.items {
			s, known := d.str(w, false)
			words, all = append(words, s), all && known
		}
		if !all {
			words = nil
		}
		out = append(out, words)
	}
	return out
}

// marathonRules reads the text of an option: [["hostname", "MAX_PER", "1"]], or
// a single rule without the outer brackets.
func marathonRules(s string) ([][]string, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var list []any
	dec := json.NewDecoder(bytes.NewReader([]byte(s)))
	dec.UseNumber()
	if err := dec.Decode(&list); err != nil || dec.More() {
		return nil, fmt.Errorf("%q is no JSON list such as [[\"hostname\", \"MAX_PER\", \"1\"]]", clip(s))
	}
	if len(list) > 0 {
		if _, flat := list[0].(string); flat {
			list = []any{list}
		}
	}
	out := make([][]string, 0, len(list))
	for i, e := range list {
		words, ok := e.([]any)
		if !ok {
			return nil, fmt.Errorf("rule %d is no list such as [\"hostname\", \"UNIQUE\"]", i+1)
		}
		rule := []string{}
		for _, w := range words {
			switch w := w.(type) {
			case string:
				rule = append(rule, w)
			case json.Number:
				rule = append(rule, w.String())
			default:
				return nil, fmt.Errorf("rule %d holds a value that is neither text nor number", i+1)
			}
		}
		out = append(out, rule)
	}
	return out, nil
}

// shortNames are the attributes that can be written without their @.
var shortNames = map[string]string{"hostname": cluster.AttributeHostname, "region": cluster.AttributeRegion, "zone": cluster.AttributeZone}

func constraintOf(words []string) (cluster.Constraint, error) {
	if len(words) < 2 || len(words) > 3 {
		return cluster.Constraint{}, fmt.Errorf("it has %d words: want an attribute, an operator and perhaps a value", len(words))
	}
	c := cluster.Constraint{Attribute: words[0], Operator: cluster.Operator(words[1])}
	if full, ok := shortNames[words[0]]; ok {
		c.Attribute = full
	}
	if len(words) == 3 {
		c.Value = words[2]
	}
	return c, c.Validate()
}
