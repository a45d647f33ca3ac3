package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// timeOf is a cluster's time as a time of this machine.
func timeOf(t cluster.Time) time.Time { return time.UnixMilli(int64(t)) }

// statusItem is the progress tree of a service: its phases and their instances.
func statusItem(s service.Status, now time.Time) render.Item {
	pods := map[string]service.PodStatus{}
	for _, p := range s.Pods {
		pods[p.Name] = p
	}
	root := render.Item{
		Key: string(s.ID), State: render.ItemWorking,
		Text: fmt.Sprintf("%s %s, %d of %s ready", s.ID, s.State, s.Ready, render.Count(s.Total, "instance")),
	}
	if s.State == service.ServiceRunning && !s.Changing {
		root.State = render.ItemDone
	}
	change := changeOf(s)
	for _, ph := range s.Deployment {
		item := render.Item{Key: string(s.ID) + "/" + ph.Name, Text: fmt.Sprintf("phase %s %s", ph.Name, ph.State)}
		if ph.Pod != "" {
			item.Text += fmt.Sprintf(", %d of %d ready", ph.Done, ph.Total)
		}
		switch ph.State {
		case service.PhaseActive:
			item.State = render.ItemWorking
		case service.PhaseComplete:
			item.State = render.ItemDone
		}
		for _, in := range pods[ph.Pod].Instances {
			item.Children = append(item.Children, instanceItem(item.Key, in, now))
		}
		item.Children = append(item.Children, runItems(item.Key, change, ph.Name)...)
		root.Children = append(root.Children, item)
	}
	return root
}

// instanceItem is the line of one instance.
func instanceItem(parent string, in service.InstanceStatus, now time.Time) render.Item {
	it := render.Item{Key: parent + "/" + in.Name, Text: in.Name + " " + instanceWord(in), Why: waitReason(in)}
	if in.Agent != "" {
		it.Text += " on " + string(in.Agent)
	}
	switch in.State {
	case service.StateReady, service.StateFinished:
		it.State = render.ItemDone
		if in.Outdated {
			it.State = render.ItemWorking
		}
	case service.StateStaging, service.StateRunning, service.StateKilling:
		it.State = render.ItemWorking
	case service.StateBackoff, service.StateUnreachable:
		it.State = render.ItemFailed
	}
	var note []string
	if in.State == service.StateBackoff && in.BackoffUntil > 0 {
		note = append(note, "tried again in "+render.Duration(timeOf(in.BackoffUntil).Sub(now).Truncate(time.Second)))
	}
	for _, t := range in.Tasks {
		if t.Message != "" && !t.Ready {
			note = append(note, t.Message)
		}
	}
	if in.State != service.StateReady && in.Since > 0 {
		note = append(note, render.Duration(now.Sub(timeOf(in.Since))))
	}
	it.Note = strings.Join(note, ", ")
	return it
}

// instanceWord says where an instance stands.
func instanceWord(in service.InstanceStatus) string {
	switch in.State {
	case service.StateBackoff:
		return "held back"
	case service.StateStaging:
		return "starting"
	case service.StateRunning:
		return "running, not ready"
	case service.StateKilling:
		return "stopping"
	case service.StateReady:
		if in.Outdated {
			return "ready, to be updated"
		}
	}
	return string(in.State)
}

// waitReason says why an instance is not where it should be; "" for one that is.
func waitReason(in service.InstanceStatus) string {
	switch in.State {
	case service.StateReady, service.StateFinished:
		return ""
	}
	if in.State != service.StateBackoff && in.WhyText != "" {
		return in.WhyText
	}
	if in.Failures == 0 || in.Last == nil {
		return ""
	}
	return fmt.Sprintf("failed %s: %s", times(in.Failures), ending(in.Last))
}

// ending says how a task ended.
func ending(l *service.LastEnding) string {
	text := taskWord(l.State)
	if l.Message != "" {
		return text + ", " + l.Message
	}
	if l.Reason != "" {
		return text + ", " + string(l.Reason)
	}
	return text
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}

// notReady lists the instances that are missing, each with its reason.
func notReady(s service.Status) []string {
	var out []string
	for _, p := range s.Pods {
		for _, in := range p.Instances {
			if in.Ready || in.State == service.StateFinished {
				continue
			}
			text := in.Name + " " + instanceWord(in)
			if why := waitReason(in); why != "" {
				text += ": " + why
			}
			out = append(out, text)
		}
	}
	return out
}
