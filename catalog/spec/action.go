package spec

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// actionTask is the name of an action's task.
	actionTask = "action"
	// maxActionWords bounds the words of an action's name.
	maxActionWords = 4
)

var argTypes = []string{string(catalog.ArgString), string(catalog.ArgInteger), string(catalog.ArgNumber), string(catalog.ArgBoolean)}

// action is an action with the source of its task.
type action struct {
	catalog.Action
	task  *node
	scope *scope
}

// Actions lists what a service of the package can be told to do.
func (p *Package) Actions() []catalog.Action {
	var out []catalog.Action
	for i := range p.actions {
		out = append(out, p.actions[i].Action)
	}
	return out
}

// argRE keeps argument names fit for expressions: args.slices.
var argRE = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// validAction reports whether s is one to maxActionWords names with one blank
// between them.
func validAction(s string) bool {
	words := strings.Split(s, " ")
	return len(words) <= maxActionWords && !slices.ContainsFunc(words, func(w string) bool { return !validName(w, MaxPartName) })
}

// actions reads the actions of service.yaml in the static pass.
func (d *decoder) actions(n *node, s *schema, reqs map[string]catalog.Requirement) []action {
	if n == nil {
		return nil
	}
	var out []action
	for _, an := range d.list(n, MaxActions) {
		o := d.object(an, "action", "name", "summary", "args", "task")
		a := action{Action: catalog.Action{Summary: d.line(o.get("summary"), "summary", catalog.MaxSummary)}, task: o.need("task")}
		if nn := o.need("name"); nn != nil {
			name, known := d.word(nn, "the name of an action")
			if known && !validAction(name) {
				d.f.at(nn.pos, "the name of an action is %q: want one to four lower-case words with a blank between them", clip(name))
			}
			if slices.ContainsFunc(out, func(b action) bool { return b.Name == name }) {
				d.f.at(nn.pos, "action %q stands twice", clip(name))
			}
			a.Name = name
		}
		a.Args = d.args(o.get("args"))
		fields := map[string]*cel.Type{}
		for _, g := range a.Args {
			fields[g.Name] = argType(&g)
		}
		typ := s.types.add(fmt.Sprintf("%s%s.%d", typePrefix, rootArgs, len(out)), fields)
		sc, err := newScope(s, reqs, typ)
		if err != nil {
			d.f.at(an.pos, "%v", err)
			return out
		}
		a.scope = sc
		out = append(out, a)
	}
	return out
}

func (d *decoder) args(n *node) []catalog.Arg {
	var out []catalog.Arg
	for _, gn := range d.optionalList(n, MaxArgs) {
		o := d.object(gn, "argument", "name", "type", "summary", "default", "min", "max", "enum")
		a := catalog.Arg{Type: catalog.ArgString, Summary: d.line(o.get("summary"), "summary", catalog.MaxSummary)}
		if nn := o.need("name"); nn != nil {
			a.Name, _ = d.word(nn, "the name of an argument")
			if len(a.Name) > MaxPartName || !argRE.MatchString(a.Name) || slices.Contains(reservedNames, a.Name) {
				d.f.at(nn.pos, "the name of an argument is %q: want lower-case letters, digits and _", clip(a.Name))
			}
			if slices.ContainsFunc(out, func(b catalog.Arg) bool { return b.Name == a.Name }) {
				d.f.at(nn.pos, "argument %q stands twice", clip(a.Name))
			}
		}
		if tn := o.get("type"); tn != nil {
			t, _ := d.word(tn, "the type of an argument")
			a.Type = catalog.ArgType(t)
			if !slices.Contains(argTypes, t) {
				d.f.at(tn.pos, "type is %q: want %s", clip(t), oneOf(argTypes))
				a.Type = catalog.ArgString
			}
		}
		a.Min, a.Max = d.bound(o.get("min"), a), d.bound(o.get("max"), a)
		for _, e := range d.optionalList(o.get("enum"), MaxEnv) {
			w, _ := d.word(e, "an allowed value")
			a.Enum = append(a.Enum, w)
		}
		if dn := o.get("default"); dn != nil {
			if w, known := d.word(dn, "the default of an argument"); known {
				v, err := parseArg(&a, w)
				if err != nil {
					d.f.at(dn.pos, "default: %v", err)
				}
				a.Default = v
			}
		} else if len(out) > 0 && out[len(out)-1].Default != nil {
			d.f.at(gn.pos, "argument %q has no default and follows one that has: arguments are given by place", a.Name)
		}
		out = append(out, a)
	}
	return out
}

func (d *decoder) bound(n *node, a catalog.Arg) *float64 {
	if n == nil {
		return nil
	}
	v, err := strconv.ParseFloat(n.text, 64)
	if n.kind != scalar || n.tag != "!!int" && n.tag != "!!float" || err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		d.f.at(n.pos, "want a number, not %s", n.what())
		return nil
	}
	if a.Type != catalog.ArgInteger && a.Type != catalog.ArgNumber {
		d.f.at(n.pos, "min and max are for numbers, and argument %q is a %s", a.Name, a.Type)
	}
	return &v
}

func argType(a *catalog.Arg) *cel.Type {
	switch a.Type {
	case catalog.ArgInteger:
		return cel.IntType
	case catalog.ArgNumber:
		return cel.DoubleType
	case catalog.ArgBoolean:
		return cel.BoolType
	}
	return cel.StringType
}

// parseArg reads an argument as it was typed.
func parseArg(a *catalog.Arg, s string) (any, error) {
	if len(s) > MaxValueBytes {
		return nil, fmt.Errorf("argument %s has %d bytes, more than %d", a.Name, len(s), MaxValueBytes)
	}
	if strings.Contains(s, mark) {
		return nil, fmt.Errorf("argument %s holds a zero byte", a.Name)
	}
	var v any
	var f float64
	switch a.Type {
	case catalog.ArgInteger:
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, refuseArg(a, s)
		}
		v, f = i, float64(i)
	case catalog.ArgNumber:
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			return nil, refuseArg(a, s)
		}
		v, f = x, x
	case catalog.ArgBoolean:
		if s != "true" && s != "false" {
			return nil, refuseArg(a, s)
		}
		return s == "true", nil
	default:
		if len(a.Enum) > 0 && !slices.Contains(a.Enum, s) {
			return nil, refuseArg(a, s)
		}
		return s, nil
	}
	if a.Min != nil && f < *a.Min || a.Max != nil && f > *a.Max {
		return nil, refuseArg(a, s)
	}
	return v, nil
}

func refuseArg(a *catalog.Arg, s string) error {
	return fmt.Errorf("argument %s is %q: want %s", a.Name, clip(s), a.Allowed())
}

// findAction gives the action whose name the words begin with, the longest one,
// and the words that are left: its arguments. An unknown one is NotFound and
// names the nearest.
func (p *Package) findAction(words []string) (*action, []string, error) {
	var best *action
	var left []string
	var names []string
	for i := range p.actions {
		a := &p.actions[i]
		names = append(names, a.Name)
		parts := strings.Fields(a.Name)
		if len(parts) <= len(words) && slices.Equal(parts, words[:len(parts)]) &&
			(best == nil || len(parts) > len(strings.Fields(best.Name))) {
			best, left = a, words[len(parts):]
		}
	}
	if best != nil {
		return best, left, nil
	}
	if len(names) == 0 {
		return nil, nil, problem.New(problem.NotFound, "package %s has no actions", p.Meta.Name)
	}
	e := problem.New(problem.NotFound, "package %s has no action %q", p.Meta.Name, clip(strings.Join(words, " ")))
	// Behind the name come arguments: look for the longest beginning that is near a name.
	for n := min(len(words), maxActionWords); n > 0; n-- {
		if near := catalog.Nearest(strings.Join(words[:n], " "), names); len(near) > 0 {
			return nil, nil, e.WithHint("did you mean %s?", oneOf(quoted(near)))
		}
	}
	return nil, nil, e.WithHint("its actions: %s", strings.Join(names, ", "))
}

// RenderAction gives the task of an action: words are its name, args its
// arguments by place (further words count as arguments too); the rest is as for
// Render. The task has the goal FINISH. Errors: NotFound for an unknown action,
// Invalid for wrong arguments, with the usage.
func (p *Package) RenderAction(o Options, id cluster.ServiceID, images map[string]string, bound Bindings, words, args []string) (catalog.Action, cluster.TaskTemplate, error) {
	a, left, err := p.findAction(words)
	if err != nil {
		return catalog.Action{}, cluster.TaskTemplate{}, err
	}
	vals, err := a.values(append(slices.Clone(left), args...))
	if err != nil {
		return catalog.Action{}, cluster.TaskTemplate{}, err
	}
	// The pods, for the indexes of references.
	s, err := p.Render(o, id, images, bound)
	if err != nil {
		return catalog.Action{}, cluster.TaskTemplate{}, err
	}
	f := &faults{}
	vars := p.vars(o, id, bound)
	vars[rootArgs], vars[countsVariable] = vals, countsOf(s.Pods)
	d := &decoder{f: f, vars: vars}
	t := p.actionTask(d, a, images, s.Pods)
	return a.Action, t, f.err(fmt.Sprintf("action %q of package %s %s", a.Name, p.Meta.Name, p.Meta.Version))
}

// actionTask reads the task of an action in either pass.
func (p *Package) actionTask(d *decoder, a *action, images map[string]string, pods []cluster.PodSpec) cluster.TaskTemplate {
	ports := newPortSet(d, false)
	t := d.taskTemplate(a.task, "action task", images, ports)
	own := portsByPod(pods)
	own[""] = t.Ports
	d.checkRefs(pods, own)
	d.checkCalls(pods)
	return t
}

// values reads the arguments and completes them by the defaults.
func (a *action) values(args []string) (map[string]any, error) {
	if len(args) > len(a.Args) {
		return nil, problem.New(problem.Invalid, "action %q takes %d arguments, not %d", a.Name, len(a.Args), len(args)).WithHint("usage: %s", a.Usage())
	}
	out := map[string]any{}
	var wrong []problem.Detail
	for i := range a.Args {
		g := &a.Args[i]
		v, err := g.Default, error(nil)
		if i < len(args) {
			v, err = parseArg(g, args[i])
		} else if v == nil {
			err = fmt.Errorf("argument %s is required: want %s", g.Name, g.Allowed())
		}
		if err != nil {
			wrong = append(wrong, problem.Detail{Pointer: "/args/" + strconv.Itoa(i), Message: err.Error()})
		}
		out[g.Name] = v
	}
	if len(wrong) > 0 {
		return nil, problem.New(problem.Invalid, "action %q: %s", a.Name, wrong[0].Message).WithDetails(wrong...).WithHint("usage: %s", a.Usage())
	}
	return out, nil
}
