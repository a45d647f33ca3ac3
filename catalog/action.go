package catalog

import (
	"fmt"
	"strconv"
	"strings"
)

// ArgType is the type of an action's argument.
type ArgType string

// The types of arguments.
const (
	ArgString  ArgType = "string"
	ArgInteger ArgType = "integer"
	ArgNumber  ArgType = "number"
	ArgBoolean ArgType = "boolean"
)

// Action is something a service can be told to do: a task that runs once.
type Action struct {
	Name    string `json:"name"` // words, "run pi"
	Summary string `json:"summary,omitempty"`
	Args    []Arg  `json:"args,omitempty"`
}

// Arg is an argument of an action, by its place.
type Arg struct {
	Name    string   `json:"name"`
	Type    ArgType  `json:"type"`
	Summary string   `json:"summary,omitempty"`
	Default any      `json:"default,omitempty"` // string, number or bool; nil: the argument must be given
	Min     *float64 `json:"min,omitempty"`     // of numbers
	Max     *float64 `json:"max,omitempty"`
	Enum    []string `json:"enum,omitempty"` // allowed texts
}

// Usage is how the action is typed: "run pi [slices]".
func (a Action) Usage() string {
	words := []string{a.Name}
	for _, g := range a.Args {
		if g.Default != nil {
			words = append(words, "["+g.Name+"]")
		} else {
			words = append(words, "<"+g.Name+">")
		}
	}
	return strings.Join(words, " ")
}

// Allowed says in words which values an argument takes: "an integer from 1 to
// 10000".
func (a Arg) Allowed() string {
	switch {
	case a.Type == ArgBoolean:
		return "true or false"
	case len(a.Enum) > 0:
		words := make([]string, len(a.Enum))
		for i, w := range a.Enum {
			words[i] = fmt.Sprintf("%q", w)
		}
		return "one of " + strings.Join(words, ", ")
	case a.Type == ArgString:
		return "text"
	}
	out := "an integer"
	if a.Type == ArgNumber {
		out = "a number"
	}
	num := func(f *float64) string { return strconv.FormatFloat(*f, 'f', -1, 64) }
	switch {
	case a.Min != nil && a.Max != nil:
		return out + " from " + num(a.Min) + " to " + num(a.Max)
	case a.Min != nil:
		return out + " of at least " + num(a.Min)
	case a.Max != nil:
		return out + " of at most " + num(a.Max)
	}
	return out
}
