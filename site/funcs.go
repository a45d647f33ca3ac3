package site

import (
	"fmt"
	"html/template"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// funcs are the words that templates use beside the built-in ones.
func (s *site) funcs() template.FuncMap {
	return template.FuncMap{
		"address":     address,
		"ago":         s.ago,
		"asset":       func(name string) string { return s.names[name] },
		"bytes":       cluster.Bytes,
		"cpus":        func(milli int64) string { return fmt.Sprintf("%g", float64(milli)/1000) },
		"iconURL":     iconURL,
		"initial":     initial,
		"join":        func(list []string) string { return strings.Join(list, ", ") },
		"kinds":       func() string { return kinds },
		"packageURL":  packageURL,
		"serviceURL":  func(id cluster.ServiceID) string { return "/services/" + url.PathEscape(string(id)) },
		"shortDigest": shortDigest,
		"stepTone":    stepTone,
		"tone":        tone,
		"webURL":      webURL,
	}
}

// kinds are the messages of the event stream after which a page may look other
// than it did.
const kinds = "task.launched task.updated task.killing task.refused service.put service.removing service.forgotten " +
	"run.put run.started run.ended agent.registered agent.reregistered agent.unreachable agent.gone stream.lost"

// tone is the class of a state's colour and shape. The word stands beside it
// always: colour alone says nothing to some readers.
func tone(state string) string {
	switch state {
	case "running", "ready", "complete", "active", "finished":
		return "good"
	case "backoff", "unreachable", "gone":
		return "bad"
	}
	return "wait"
}

// stepTone is tone for an instance and for a phase, where running and active
// are on the way and not yet there.
func stepTone(state string) string {
	if state == "running" || state == "active" {
		return "wait"
	}
	return tone(state)
}

func packageURL(name, version string) string {
	u := "/packages/" + url.PathEscape(name)
	if version != "" {
		u += "?" + url.Values{"version": {version}}.Encode()
	}
	return u
}

func iconURL(name, version string) string {
	return "/v1/packages/" + url.PathEscape(name) + "/icon?" + url.Values{"version": {version}}.Encode()
}

// webURL is u when a browser may follow it, else empty.
func webURL(u string) string {
	if p, err := url.Parse(u); err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Host == "" {
		return ""
	}
	return u
}

// address is an endpoint's address as it is typed into a client.
func address(scheme, host string, port uint16) string {
	a := net.JoinHostPort(host, strconv.Itoa(int(port)))
	if scheme != "" {
		a = scheme + "://" + a
	}
	return a
}

func initial(name string) string {
	r, n := utf8.DecodeRuneInString(name)
	if n == 0 {
		return "?"
	}
	return strings.ToUpper(string(r))
}

// clip cuts a text to at most n bytes and the sign that says so, between characters.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func shortDigest(d string) string {
	alg, hex, ok := strings.Cut(d, ":")
	if !ok || len(hex) <= 12 {
		return d
	}
	return alg + ":" + hex[:12] + "…"
}

// ago is a time as a distance from now: "3 min ago".
func (s *site) ago(t cluster.Time) string {
	if t == 0 {
		return ""
	}
	d := s.cfg.Now().Sub(time.UnixMilli(int64(t)))
	if d < 10*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// until is a time to come as a distance from now: "in 12 s".
func (s *site) until(t cluster.Time) string {
	d := time.UnixMilli(int64(t)).Sub(s.cfg.Now())
	if d < time.Second {
		return "now"
	}
	return "in " + span(d)
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
