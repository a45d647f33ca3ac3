package cluster

import (
	"fmt"
	"strconv"
	"strings"
)

// Ref is a launch-time reference: a value that is known only when a task has
// got its place. In a string of a Container it stands as ${self.host},
// ${self.ports.rpc}, ${pods.master[0].host} and so on.
type Ref struct {
	Service ServiceID // another service; empty: the task's own
	Pod     string    // empty: the task itself ("self")
	Index   int       // instance of Pod; for RefIndex of self, what is added to it
	Field   string    // RefHost, RefHostname, RefIndex, RefTask, RefPort or RefListen
	Port    string    // the port's name, for RefPort and RefListen; that of the endpoint or export
}

// The fields a reference can name.
const (
	RefHost     = "host"     // the address of the instance's agent
	RefHostname = "hostname" // the name of its agent; self only
	RefIndex    = "index"    // the instance's index; self only
	RefTask     = "task"     // the task's id; self only
	RefPort     = "ports"    // a named host port
	// RefEndpoint and RefExport are of another service: "name:port,name:port" of
	// an endpoint's instances, and an export's text. As long as they stay the
	// same, nobody who was given them is restarted.
	RefEndpoint = "endpoints"
	RefExport   = "exports"
	RefListen   = "listen" // the port to bind for a named host port; self only. The same port where the task is on the agent's own network
)

// ParseRef reads the text inside ${…}. It reports false for anything but a
// launch-time reference.
func ParseRef(text string) (Ref, bool) {
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "self."); ok {
		switch rest {
		case RefHost, RefHostname, RefIndex, RefTask:
			return Ref{Field: rest}, true
		}
		if port, ok := strings.CutPrefix(rest, "ports."); ok && isName(port) {
			return Ref{Field: RefPort, Port: port}, true
		}
		if port, ok := strings.CutPrefix(rest, "listen."); ok && isName(port) {
			return Ref{Field: RefListen, Port: port}, true
		}

		if plus, ok := strings.CutPrefix(rest, RefIndex); ok {
			return parseOffset(plus)
		}
		return Ref{}, false
	}
	if rest, ok := strings.CutPrefix(text, "services."); ok {
		return parseService(rest)
	}
	rest, ok := strings.CutPrefix(text, "pods.")
	if !ok {
		return Ref{}, false
	}
	pod, rest, ok := strings.Cut(rest, "[")
	if !ok || !isName(pod) {
		return Ref{}, false
	}
	num, rest, ok := strings.Cut(rest, "].")
	index, err := strconv.Atoi(num)
	if !ok || err != nil || index < 0 {
		return Ref{}, false
	}
	if rest == RefHost {
		return Ref{Pod: pod, Index: index, Field: RefHost}, true
	}
	if port, ok := strings.CutPrefix(rest, "ports."); ok && isName(port) {
		return Ref{Pod: pod, Index: index, Field: RefPort, Port: port}, true
	}
	return Ref{}, false
}

// maxOffset bounds what can be added to an index.
const maxOffset = 1 << 20

// parseOffset reads the "+ N" behind self.index.
func parseOffset(text string) (Ref, bool) {
	num, ok := strings.CutPrefix(strings.TrimSpace(text), "+")
	n, err := strconv.Atoi(strings.TrimSpace(num))
	if !ok || err != nil || n < 0 || n > maxOffset {
		return Ref{}, false
	}
	return Ref{Field: RefIndex, Index: n}, true
}

// parseService reads what is behind "services.".
func parseService(text string) (Ref, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !isName(parts[0]) || !isName(parts[2]) || parts[1] != RefEndpoint && parts[1] != RefExport {
		return Ref{}, false
	}
	return Ref{Service: ServiceID(parts[0]), Field: parts[1], Port: parts[2]}, true
}

// String is the reference as it is written, without the braces.
func (r Ref) String() string {
	if r.Service != "" {
		return fmt.Sprintf("services.%s.%s.%s", r.Service, r.Field, r.Port)
	}
	if r.Field == RefIndex && r.Index > 0 {
		return fmt.Sprintf("self.index + %d", r.Index)
	}
	head := "self."
	if r.Pod != "" {
		head = fmt.Sprintf("pods.%s[%d].", r.Pod, r.Index)
	}
	if r.Field == RefPort || r.Field == RefListen {
		return head + r.Field + "." + r.Port
	}
	return head + r.Field
}

func isName(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Expand replaces every ${…} of s by what value gives for it. "$${" stands for
// a literal "${". Text inside ${…} that is no reference is an error: rendering
// has evaluated everything else before.
func Expand(s string, value func(Ref) (string, error)) (string, error) {
	if !strings.Contains(s, "${") {
		return s, nil
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1])
			b.WriteString("${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		inner, rest, ok := strings.Cut(s[i+2:], "}")
		if !ok {
			return "", fmt.Errorf("%q: ${ without its }", s)
		}
		ref, ok := ParseRef(inner)
		if !ok {
			return "", fmt.Errorf("${%s} is not a launch-time reference", inner)
		}
		v, err := value(ref)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		s = rest
	}
}

// Refs lists the references in s, in order.
func Refs(s string) []Ref {
	var out []Ref
	// The value function never fails here; a malformed text yields what came before it.
	_, _ = Expand(s, func(r Ref) (string, error) { out = append(out, r); return "", nil })
	return out
}

// Strings calls f for every string of c that may hold a reference and stores
// what it gives: command, environment values, file contents, sources of
// artifacts, check paths and expectations. It works on a deep copy, which it
// returns.
func (c Container) Strings(f func(string) (string, error)) (Container, error) {
	out := c
	var firstErr error
	do := func(where, s string) string {
		v, err := f(s)
		if err != nil && firstErr == nil {
			firstErr = fmt.Errorf("%s: %w", where, err)
		}
		return v
	}
	out.Command = make([]string, len(c.Command))
	for i, s := range c.Command {
		out.Command[i] = do(fmt.Sprintf("command[%d]", i), s)
	}
	out.Env = make(map[string]string, len(c.Env))
	for _, k := range sortedKeys(c.Env) {
		out.Env[k] = do("env."+k, c.Env[k])
	}
	out.Files = append([]File(nil), c.Files...)
	for i := range out.Files {
		out.Files[i].Content = do("files["+out.Files[i].Path+"]", out.Files[i].Content)
	}
	out.Artifacts = append([]Artifact(nil), c.Artifacts...)
	for i := range out.Artifacts {
		out.Artifacts[i].Source = do(fmt.Sprintf("artifacts[%d].source", i), out.Artifacts[i].Source)
	}
	out.Scratch = append([]string(nil), c.Scratch...)
	out.Rlimits = append([]Rlimit(nil), c.Rlimits...)
	out.Mounts = append([]HostMount(nil), c.Mounts...)
	out.Volumes = append([]VolumeMount(nil), c.Volumes...)
	out.Readiness = c.Readiness.strings("readiness", do)
	out.Health = c.Health.strings("health", do)
	out.Leader = c.Leader.strings("leader", do)
	return out, firstErr
}

func (c *Check) strings(where string, do func(where, s string) string) *Check {
	if c == nil {
		return nil
	}
	out := *c
	if c.HTTP != nil {
		h := *c.HTTP
		h.Path, h.Expect = do(where+".http.path", h.Path), do(where+".http.expect", h.Expect)
		out.HTTP = &h
	}
	if c.TCP != nil {
		t := *c.TCP
		out.TCP = &t
	}
	out.Command = append([]string(nil), c.Command...)
	for i, s := range out.Command {
		out.Command[i] = do(fmt.Sprintf("%s.command[%d]", where, i), s)
	}
	return &out
}
