package site

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// funcs are the words that templates use beside the built-in ones.
func (s *site) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":       func(name string) string { return s.names[name] },
		"ago":         s.ago,
		"bytes":       cluster.Bytes,
		"cpus":        func(milli int64) string { return fmt.Sprintf("%g", float64(milli)/1000) },
		"initial":     func(name string) string { return strings.ToUpper(name[:min(1, len(name))]) },
		"kinds":       func() string { return kinds },
		"join":        func(list []string) string { return strings.Join(list, ", ") },
		"shortDigest": shortDigest,
		"tone":        tone,
	}
}

// kinds are the events that change what a page shows.
const kinds = "task.launched task.updated task.killing service.put service.removing service.forgotten " +
	"run.put run.started run.ended agent.registered agent.reregistered agent.unreachable agent.gone"

// tone is the class of a state's colour. The word stands beside it always:
// colour alone says nothing to some readers.
func tone(state string) string {
	switch state {
	case "running", "ready", "complete", "active", "finished":
		return "good"
	case "backoff", "unreachable", "gone", "failed":
		return "bad"
	}
	return "wait"
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
	switch {
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
