package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// BenchmarkInstall_warm installs nginx on a running cluster whose agents have
// its image, by the command a person types: to the first TASK_RUNNING, and to
// the command's end, when all is healthy.
func BenchmarkInstall_warm(b *testing.B) {
	e := newE2E(b)
	e.dcos("package", "publish", "../../packages/nginx")
	for _, id := range []string{"warm1", "warm2"} { // one lands on each agent
		e.dcos("package", "install", "nginx", "--id", id, "--yes")
	}
	for _, id := range []string{"warm1", "warm2"} {
		e.dcos("package", "uninstall", id, "--yes")
	}
	var running, healthy []time.Duration
	for b.Loop() {
		began := time.Now()
		first := make(chan time.Duration, 1)
		ctx, cancel := context.WithCancel(b.Context())
		go func() {
			for event, err := range e.api.Events(ctx, client.EventOptions{Since: -1, Service: "bench"}) {
				if err == nil && event.State == string(cluster.TaskRunning) {
					first <- time.Since(began)
					return
				}
			}
		}()
		e.dcos("package", "install", "nginx", "--id", "bench", "--yes")
		healthy = append(healthy, time.Since(began))
		running = append(running, <-first)
		cancel()
		b.StopTimer()
		e.dcos("package", "uninstall", "bench", "--yes")
		b.StartTimer()
	}
	slices.Sort(running)
	slices.Sort(healthy)
	fmt.Printf("figure install.warm %.2f s\n", running[len(running)/2].Seconds())
	fmt.Printf("figure install.warm_healthy %.2f s\n", healthy[len(healthy)/2].Seconds())
}
