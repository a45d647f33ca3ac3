package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/fetch"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

// shelf is a Fetcher that has what it is told.
type shelf struct {
	mu   sync.Mutex
	has  map[string]error // by source
	took []string         // "source -> directory"
}

func (s *shelf) Check(a cluster.Artifact) error {
	if strings.HasPrefix(a.Source, "bad:") {
		return fmt.Errorf("%s: %w", a.Source, fetch.ErrRefused)
	}
	return nil
}

func (s *shelf) Fetch(ctx context.Context, a cluster.Artifact, dst string) error {
	if a.Source == "slow" {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, a.Source+" -> "+filepath.Base(dst))
	return s.has[a.Source]
}

func TestArtifacts_areFetchedBeforeTheStart(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources []string
		state   cluster.TaskState
		reason  cluster.Reason
	}{
		{"all", []string{"a", "b"}, cluster.TaskRunning, ""},
		{"one missing", []string{"a", "missing", "b"}, cluster.TaskFailed, cluster.ReasonLaunchFailed},
		{"refused at once", []string{"a", "bad:x"}, cluster.TaskError, cluster.ReasonTaskInvalid},
		{"refused later", []string{"refused"}, cluster.TaskError, cluster.ReasonTaskInvalid},
		{"too many", make([]string, maxArtifacts+1), cluster.TaskError, cluster.ReasonTaskInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{has: map[string]error{"missing": errors.New("gone"), "refused": fetch.ErrRefused}}
				n := newNode(t, &fake.Runner{}, func(c *Config) { c.Fetch = s })
				spec := testTask("a.1")
				for _, src := range c.sources {
					spec.Container.Artifacts = append(spec.Container.Artifacts, cluster.Artifact{Source: src, Path: "/a"})
				}
				n.launch(spec)
				if got := n.master.until(c.state); got.Reason != c.reason {
					t.Errorf("got %+v, want reason %q", got, c.reason)
				}
				if want := c.state == cluster.TaskRunning; (n.runner.Starts() == 1) != want {
					t.Errorf("starts: got %d", n.runner.Starts())
				}
				if c.name == "all" && strings.Join(s.took, ", ") != "a -> 0, b -> 1" {
					t.Errorf("fetched: got %v", s.took)
				}
			})
		})
	}
}

func TestArtifacts_aKillStopsTheFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{}, func(c *Config) { c.Fetch = &shelf{} })
		spec := testTask("a.1")
		spec.Container.Artifacts = []cluster.Artifact{{Source: "slow", Path: "/a"}}
		n.launch(spec)
		for {
			if got := n.master.until(cluster.TaskStarting); strings.Contains(got.Message, "no checksum") {
				break
			}
		}
		begun := time.Now()
		n.master.order(killOrder("a.1", 0))
		if got := n.master.until(cluster.TaskKilled); got.Reason != cluster.ReasonKilledInLaunch || time.Since(begun) > time.Second {
			t.Errorf("got %+v after %s", got, time.Since(begun))
		}
	})
}
