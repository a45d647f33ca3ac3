package site

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

const (
	// maxRows is how many services, nodes, or instances of one pod a page shows.
	maxRows = 200
	// maxWhy is how many nodes are named to say why an instance has no place.
	maxWhy = 4
)

type servicesPage struct {
	head
	live
	Services []service.Status
	Omitted  int
}

func (s *site) services(r *http.Request) (string, any, error) {
	list, err := s.cfg.Cluster.Services(r.Context())
	shown := list[:min(len(list), maxRows)]
	return "services", servicesPage{s.head("Services", "services"), live{eventsURL("")}, shown, len(list) - len(shown)}, err
}

type servicePage struct {
	head
	live
	Service service.Status
	Pods    []podView
}

// podView is a pod as the page shows it.
type podView struct {
	service.PodStatus
	Instances []instanceView
	Omitted   int
}

// instanceView is an instance with what there is to say about it.
type instanceView struct {
	service.InstanceStatus
	Notes []string
}

func (s *site) service(r *http.Request) (string, any, error) {
	st, err := s.cfg.Cluster.Service(r.Context(), cluster.ServiceID(r.PathValue("id")))
	if err != nil {
		return "", nil, err
	}
	page := servicePage{head: s.head(string(st.ID), "services"), live: live{eventsURL(st.ID)}, Service: st}
	for _, p := range st.Pods {
		page.Pods = append(page.Pods, s.pod(p))
	}
	return "service", page, nil
}

// pod makes the view of a pod. Where not all instances have room on the page,
// those that are not ready come first.
func (s *site) pod(p service.PodStatus) podView {
	list := p.Instances
	if len(list) > maxRows {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(a, b service.InstanceStatus) int { return cmp.Compare(settled(a), settled(b)) })
		list = list[:maxRows]
	}
	v := podView{PodStatus: p, Omitted: len(p.Instances) - len(list)}
	for _, in := range list {
		v.Instances = append(v.Instances, instanceView{in, s.notes(in)})
	}
	return v
}

func settled(in service.InstanceStatus) int {
	if in.Ready || in.State == service.StateFinished {
		return 1
	}
	return 0
}

// notes are the sentence parts that explain the state of an instance.
func (s *site) notes(in service.InstanceStatus) []string {
	var out []string
	switch {
	case in.Why != nil && len(in.Why.Agents) > 0:
		out = append(out, "fits on no node")
		for _, a := range in.Why.Agents[:min(len(in.Why.Agents), maxWhy)] {
			out = append(out, a.String())
		}
		if n := len(in.Why.Agents) + in.Why.Omitted - maxWhy; n > 0 {
			out = append(out, fmt.Sprintf("and %s", count(n, "more node", "more nodes")))
		}
	case in.WhyText != "":
		out = append(out, in.WhyText)
	}
	if in.State == service.StateBackoff && in.BackoffUntil != 0 {
		out = append(out, "next try "+s.until(in.BackoffUntil))
	}
	if in.Failures > 0 {
		out = append(out, "failed "+count(in.Failures, "time", "times")+" in a row")
		if l := in.Last; l != nil {
			out = append(out, strings.TrimSpace(fmt.Sprintf("last: %s %s", taskWord(l.State), s.ago(l.At))))
			out = append(out, l.Message)
		}
	}
	if in.Healthy != nil && !*in.Healthy {
		out = append(out, "its health check fails")
	}
	if in.Outdated {
		out = append(out, "runs an older specification and will be replaced")
	}
	for _, t := range in.Tasks {
		if !in.Ready && t.Message != "" {
			out = append(out, t.Task+": "+t.Message)
		}
	}
	return slices.DeleteFunc(out, func(text string) bool { return text == "" })
}

// taskWord is a task's state as people say it: "failed".
func taskWord(t cluster.TaskState) string {
	return strings.ToLower(strings.TrimPrefix(string(t), "TASK_"))
}

type nodesPage struct {
	head
	live
	Agents  []core.Agent
	Omitted int
}

func (s *site) nodes(r *http.Request) (string, any, error) {
	list, err := s.cfg.Cluster.Agents(r.Context())
	shown := list[:min(len(list), maxRows)]
	return "nodes", nodesPage{s.head("Nodes", "nodes"), live{eventsURL("")}, shown, len(list) - len(shown)}, err
}

// live is what a page needs that follows the cluster.
type live struct {
	Events string // address of the stream of events
}

func eventsURL(id cluster.ServiceID) string {
	if id == "" {
		return "/v1/events"
	}
	return "/v1/events?" + url.Values{"service": {string(id)}}.Encode()
}
