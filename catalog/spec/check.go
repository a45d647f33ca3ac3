package spec

import (
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// check reads a readiness, health or leader check; nil when there is none.
func (d *decoder) check(n *node, what string, ports []cluster.PortSpec) *cluster.Check {
	if n == nil {
		return nil
	}
	keys := []string{"http", "tcp", "command", "interval", "timeout", "successes"}
	if what == "health" {
		keys = []string{"http", "tcp", "command", "interval", "timeout", "grace", "failures"}
	}
	o := d.object(n, what+" check", keys...)
	c := &cluster.Check{}
	ways := 0
	if h := o.get("http"); h != nil {
		ways++
		c.HTTP = d.httpCheck(h, ports)
	}
	if t := o.get("tcp"); t != nil {
		ways++
		to := d.object(t, "tcp check", "port")
		c.TCP = &cluster.TCPCheck{Port: d.checkPort(to, ports)}
	}
	if cmd := o.get("command"); cmd != nil {
		ways++
		for _, e := range d.list(cmd, MaxCommand) {
			s, _ := d.str(e, true)
			c.Command = append(c.Command, s)
		}
		if len(c.Command) == 0 {
			d.f.at(cmd.pos, "the command of a check is not empty")
		}
	}
	if ways != 1 && !o.open {
		d.f.at(n.pos, "a %s check has exactly one of http, tcp and command", what)
	}
	c.Interval = o.wait("interval", minInterval, readinessInterval)
	c.Timeout = o.wait("timeout", minTimeout, checkTimeout)
	if what == "health" {
		if o.get("interval") == nil {
			c.Interval = healthInterval
		}
		c.Grace = o.wait("grace", 0, healthGrace)
		c.Failures = o.tries("failures", healthFailures)
	} else {
		c.Successes = o.tries("successes", readinessSuccesses)
	}
	return c
}

// What a check is when it does not say.
const (
	minInterval                      = 100 * time.Millisecond
	minTimeout                       = 10 * time.Millisecond
	checkTimeout      cluster.Millis = 5_000
	readinessInterval cluster.Millis = 1_000
	healthInterval    cluster.Millis = 10_000
	healthGrace       cluster.Millis = 60_000

	readinessSuccesses = 1
	healthFailures     = 3
)

// wait reads an optional time.
func (o *object) wait(key string, lo time.Duration, unset cluster.Millis) cluster.Millis {
	if v := o.get(key); v != nil {
		return o.d.duration(v, lo)
	}
	return unset
}

// tries reads an optional count of a check's results.
func (o *object) tries(key string, unset int) int {
	if v := o.get(key); v != nil {
		i, _ := o.d.integer(v, 1, MaxCheckTries)
		return int(i)
	}
	return unset
}

func (d *decoder) checkPort(o *object, ports []cluster.PortSpec) string {
	n := o.need("port")
	if n == nil {
		return ""
	}
	s, known := d.word(n, "the port of a check")
	if known {
		d.knownPort(n.pos, s, ports, "the task")
	}
	return s
}

func (d *decoder) httpCheck(n *node, ports []cluster.PortSpec) *cluster.HTTPCheck {
	o := d.object(n, "http check", "port", "path", "expect")
	h := &cluster.HTTPCheck{Port: d.checkPort(o, ports), Path: "/"}
	if p := o.get("path"); p != nil {
		s, known := d.str(p, true)
		if known && !strings.HasPrefix(s, "/") {
			d.f.at(p.pos, "path is %q: want a path that begins with /", clip(s))
		}
		h.Path = s
	}
	if e := o.get("expect"); e != nil {
		s, known := d.str(e, true)
		h.Expect = s
		if known {
			d.expectation(e, s)
		}
	}
	return h
}

// expectEnv is what the expectation of an HTTP check may name: the reply's
// status, its headers and its body, parsed when it is JSON. It is that of the
// agent (runtime/agent/check), which evaluates it: the standard functions only.
var expectEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("status", cel.IntType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("body", cel.DynType),
		cel.CrossTypeNumericComparisons(true),
	)
})

// standIn gives a value in place of a launch-time reference while an
// expectation is checked.
func standIn(r cluster.Ref) (string, error) {
	switch r.Field {
	case cluster.RefPort:
		return "31000", nil
	case cluster.RefIndex:
		return "0", nil
	}
	return "10.0.0.1", nil
}

// expectation type-checks the CEL of an HTTP check.
func (d *decoder) expectation(n *node, s string) {
	if len(s) > MaxExprBytes {
		d.f.at(n.pos, "expect has %d bytes, more than %d", len(s), MaxExprBytes)
		return
	}
	src, err := cluster.Expand(s, standIn)
	if err != nil {
		d.f.at(n.pos, "expect: %v", err)
		return
	}
	env, err := expectEnv()
	if err != nil {
		d.f.at(n.pos, "expect: %v", err)
		return
	}
	ast, iss := env.Compile(src)
	if iss.Err() != nil {
		for _, e := range iss.Errors() {
			d.f.at(n.pos, "expect: %s (known: status, headers, body)", celMessage(e.Message))
		}
		return
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		d.f.at(n.pos, "expect gives %s: want true or false", typeName(t))
	}
}
