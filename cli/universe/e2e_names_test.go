package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery"
)

// TestDev_names has tasks on each agent, in the agent's network and in one of
// their own, reach another service by the name of its task and by the virtual
// address of its endpoint. nginx looks names up when it starts: without them it
// does not run.
func TestDev_names(t *testing.T) {
	e := newE2E(t)
	e.dcos("package", "publish", "../../packages/nginx")
	e.dcos("package", "install", "nginx", "--yes")
	target := e.task()
	name := "server-0-nginx.nginx.universe"

	spec := callers(target.Spec.Container, map[string]string{
		"/name/": fmt.Sprintf("http://%s:%d/", name, target.Spec.Ports["http"]),
		"/vip/":  "http://http.nginx.vip.universe/",
	})
	if _, err := e.api.PutService(t.Context(), client.PutService{Spec: spec}); err != nil {
		t.Fatal(err)
	}
	e.dcos("service", "watch", string(spec.ID), "--timeout", e2ePatience.String())
	tasks, err := e.api.Tasks(t.Context(), client.TaskFilter{Service: spec.ID})
	if err != nil || len(tasks) != 4 {
		t.Fatalf("want four tasks: %v, %+v", err, tasks)
	}
	for _, k := range tasks {
		e.asksOurs(k)
		for _, way := range []string{"/name/", "/vip/"} {
			e.reaches(k, way)
		}
	}

	// The next life of an agent carries virtual addresses again.
	e.again("universe agent", "/"+string(tasks[0].Agent)+"/agent.yaml")
	e.reaches(tasks[0], "/vip/")

	// The master answers, too; names go with their task.
	server := e.masterServer()
	if got, err := askAt(t, server, "udp", name+"."); err != nil || fmt.Sprint(got) != "["+target.Host+"]" {
		t.Errorf("the master says %v, %v; want %s", got, err, target.Host)
	}
	e.dcos("package", "uninstall", "nginx", "--yes")
	e.until("the name is gone", func(context.Context) (bool, string) {
		got, err := askAt(t, server, "udp", name+".")
		return err != nil && strings.Contains(err.Error(), "no such host"), fmt.Sprint(got, err)
	})
	if _, err := e.api.RemoveService(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	e.until("the service is gone", func(ctx context.Context) (bool, string) {
		s, err := e.api.Service(ctx, spec.ID)
		return problem.Is(err, problem.NotFound), fmt.Sprint(s.State, err)
	})
}

// callers is a service that passes what it is asked on to others, by path: on
// each of two agents one in the agent's network, and one in its own.
func callers(c cluster.Container, ways map[string]string) cluster.ServiceSpec {
	var places strings.Builder
	for path, to := range ways { // in any order: the longest prefix counts
		fmt.Fprintf(&places, "location %s { proxy_pass %s; }\n", path, to)
	}
	const port = 31990
	pod := func(name, network string, ps cluster.PortSpec) cluster.PodSpec {
		b := bridged(c, port).Pods[0] // listens on all addresses
		for i, f := range b.Tasks[0].Container.Files {
			b.Tasks[0].Container.Files[i].Content = strings.Replace(f.Content, "location = /healthz", places.String()+"location = /healthz", 1)
		}
		b.Name, b.Network, b.Tasks[0].Ports = name, network, []cluster.PortSpec{ps}
		return b
	}
	return cluster.ServiceSpec{ID: "callers", Pods: []cluster.PodSpec{
		pod("near", "", cluster.PortSpec{Name: "http", Port: port}),
		pod("own", cluster.DefaultNetwork, cluster.PortSpec{Name: "http", Listen: port}),
	}}
}

// reaches asks a task, which asks another service.
func (e *e2e) reaches(k cluster.Task, way string) {
	e.t.Helper()
	url := "http://" + published(k) + way + "healthz"
	e.until(fmt.Sprintf("%s of %s answers", way, k.Spec.ID), func(ctx context.Context) (bool, string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			e.t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode == http.StatusOK && string(body) == "ok\n", fmt.Sprintf("%s %q %v", resp.Status, body, err)
	})
}

// asksOurs looks at the resolv.conf of a task.
func (e *e2e) asksOurs(k cluster.Task) {
	e.t.Helper()
	file := filepath.Join(e.dir, "agents", string(k.Agent), "state", "tasks", string(k.Spec.ID), "etc", "resolv.conf")
	text, err := os.ReadFile(file)
	want := fmt.Sprintf("nameserver %s\nnameserver %s\nsearch universe", k.Host, discovery.NameserverAddr(discovery.DefaultRange))
	if err != nil || !strings.HasPrefix(string(text), want) {
		e.t.Errorf("resolv.conf of %s: %v\n%s\nwant:\n%s", k.Spec.ID, err, text, want)
	}
}

// masterServer is where the master answers for names.
func (e *e2e) masterServer() net.Addr {
	e.t.Helper()
	var cfg masterConfig
	if err := decodeConfig(filepath.Join(e.dir, "master.yaml"), &cfg); err != nil {
		e.t.Fatal(err)
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(cfg.address()), dnsPort))
}
