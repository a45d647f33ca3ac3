package spec

import (
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

// The functions of expressions that speak of instances. host and port give
// values that are known only at the launch; dns gives a name that is known before.
const (
	funcHost  = "host"  // host(pod, index)
	funcPort  = "port"  // port(pod, index, name)
	funcDNS   = "dns"   // dns(pod, index, task)
	funcBound = "bound" // bound(alias)

	// dnsCall is what dns becomes: the service's id and the counts of the pods
	// come before its arguments. No expression can be written with an @.
	dnsCall = "@dns"
	// countsVariable holds the count of each pod, where it is known.
	countsVariable = "@counts"
)

// mark stands before and behind a launch-time reference in the values of
// expressions. No option and no text of a file can hold it.
const mark = "\x00"

// marked is the value of an expression in place of what a reference will give.
func marked(r cluster.Ref) ref.Val { return types.String(mark + r.String() + mark) }

// launchFunctions declares the functions of instances and of bindings.
func launchFunctions() []cel.EnvOption {
	text, number := cel.StringType, cel.IntType
	return []cel.EnvOption{
		cel.Variable(countsVariable, cel.MapType(text, number)),
		cel.Function(funcHost, cel.Overload(funcHost, []*cel.Type{text, number}, text,
			cel.BinaryBinding(func(pod, index ref.Val) ref.Val {
				return instanceRef(cluster.Ref{Pod: string(pod.(types.String)), Field: cluster.RefHost}, index)
			}))),
		cel.Function(funcPort, cel.Overload(funcPort, []*cel.Type{text, number, text}, text,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				return instanceRef(cluster.Ref{Pod: string(args[0].(types.String)), Field: cluster.RefPort, Port: string(args[2].(types.String))}, args[1])
			}))),
		cel.Function(dnsCall, cel.Overload(dnsCall, []*cel.Type{text, cel.MapType(text, number), text, number, text}, text,
			cel.FunctionBinding(dnsName))),
		cel.Macros(
			cel.GlobalMacro(funcDNS, 3, func(h cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
				id := h.NewSelect(h.NewIdent(rootService), "id")
				return h.NewCall(dnsCall, append([]ast.Expr{id, h.NewIdent(countsVariable)}, args...)...), nil
			}),
			cel.GlobalMacro(funcBound, 1, func(h cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
				alias, ok := literalText(args[0])
				if !ok {
					return nil, h.NewError(args[0].ID(), `the alias in bound("…") is written out`)
				}
				return h.NewPresenceTest(h.NewIdent(rootBindings), alias), nil
			}),
		),
	}
}

// instanceRef gives a reference to an instance.
func instanceRef(r cluster.Ref, index ref.Val) ref.Val {
	i := int64(index.(types.Int))
	if i < 0 || i >= MaxInstances {
		return types.NewErr("pod %s has no instance %d", r.Pod, i)
	}
	r.Index = int(i)
	if back, ok := cluster.ParseRef(r.String()); !ok || back != r {
		return types.NewErr("%q is no name of a pod or port", clip(r.Pod+" "+r.Port))
	}
	return marked(r)
}

// dnsName gives the name of an instance: <pod>-<index>-<task>.<service>.universe.
func dnsName(args ...ref.Val) ref.Val {
	counts, _ := args[1].Value().(map[string]any)
	pod, index, task := string(args[2].(types.String)), int64(args[3].(types.Int)), string(args[4].(types.String))
	if n, known := counts[pod].(int64); index < 0 || index >= MaxInstances || known && index >= n {
		return types.NewErr("pod %s has no instance %d", pod, index)
	}
	return types.String(names.Task(cluster.ServiceID(args[0].(types.String)), pod, int(index), task))
}

// maxDNSLabel bounds the first part of a name, in bytes (RFC 1035, 2.3.4).
const maxDNSLabel = 63

// call is a use of one of the functions and what it names.
type call struct {
	fn, pod, name string // name: the port or the task
	at            pos
}

// literalText is the value of a text that is written out in an expression.
func literalText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// calls lists the uses of the functions in an expression. What they name is
// written out, so that a package that was packed names what is there.
func (sc *scope) calls(n *node, src string, offset int, a *cel.Ast, f *faults) []call {
	var out []call
	native := a.NativeRep()
	ast.PostOrderVisit(native.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		c, args := call{fn: e.AsCall().FunctionName()}, e.AsCall().Args()
		switch c.fn {
		case funcHost, funcPort:
		case dnsCall:
			c.fn, args = funcDNS, args[2:]
		default:
			return
		}
		c.at = n.within(offset + byteOffset(src, native.SourceInfo().GetStartLocation(args[0].ID())))
		var ok bool
		if c.pod, ok = literalText(args[0]); ok && len(args) > 2 {
			c.name, ok = literalText(args[2])
		}
		if !ok {
			f.at(c.at, "%s(…): the names in it are written out, only the index may be an expression", c.fn)
			return
		}
		out = append(out, c)
	}))
	return out
}

// checkCalls checks the uses of the functions against the pods that there are.
func (d *decoder) checkCalls(pods []cluster.PodSpec) {
	for _, c := range d.calls {
		p := d.knownPod(c.at, c.pod, pods)
		if p == nil {
			continue
		}
		switch c.fn {
		case funcPort:
			d.knownPort(c.at, c.name, allPorts(p), fmt.Sprintf("pod %q", p.Name))
		case funcDNS:
			var names []string
			for _, t := range p.Tasks {
				names = append(names, t.Name)
			}
			if !hasTask(p, c.name) {
				d.f.at(c.at, "%s", didYouMean(fmt.Sprintf("pod %q has no task %q", p.Name, clip(c.name)), c.name, names))
			}
			if n := len(p.Name) + len(c.name) + len(strconv.Itoa(MaxInstances)) + 2; n > maxDNSLabel {
				d.f.at(c.at, "the names of pod %s and task %s are too long together for a name in the network: at most %d characters", p.Name, c.name, maxDNSLabel-n+len(p.Name)+len(c.name))
			}
		}
	}
}

func hasTask(p *cluster.PodSpec, name string) bool {
	for _, t := range p.Tasks {
		if t.Name == name {
			return true
		}
	}
	return false
}

func allPorts(p *cluster.PodSpec) []cluster.PortSpec {
	var all []cluster.PortSpec
	for _, t := range p.Tasks {
		all = append(all, t.Ports...)
	}
	return all
}

// settle turns a value with marked references into text. With launch it is in
// the form that cluster.Expand reads; without, a reference is a fault. before
// is what stands directly before the value.
func (d *decoder) settle(s string, launch bool, at pos) (string, bool) {
	if !strings.Contains(s, mark) {
		if launch {
			s = escape(s)
		}
		return s, true
	}
	parts := strings.Split(s, mark)
	var b strings.Builder
	for i, p := range parts {
		if i%2 == 0 {
			if launch {
				p = escape(p)
			}
			if i < len(parts)-1 && strings.HasSuffix(p, "$") {
				d.f.at(at, "a $ cannot stand directly before ${%s}", parts[i+1])
				return "", false
			}
			b.WriteString(p)
			continue
		}
		r, ok := cluster.ParseRef(p)
		switch {
		case !ok || i == len(parts)-1:
			d.f.at(at, "a value that is known only at the launch cannot be cut or changed: it can be joined to other text with +")
			return "", false
		case !launch:
			d.f.at(at, "%s", launchOnly(r))
			return "", false
		}
		b.WriteString("${" + r.String() + "}")
		d.refs = append(d.refs, refUse{r, at, d.pod, d.task})
	}
	return b.String(), true
}

// launchOnly says that a reference stands where it cannot.
func launchOnly(r cluster.Ref) string {
	return fmt.Sprintf("${%s} is known only when the task is launched; it can stand in command, env, files, checks, exports and the source of an artifact", r)
}
