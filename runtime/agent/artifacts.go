package agent

import (
	"context"
	"fmt"

	"github.com/universe-dcos/universe/runtime/agent/fetch"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// maxArtifacts bounds the artifacts of a task.
const maxArtifacts = 64

// checkArtifacts refuses what could never be fetched.
func (a *Agent) checkArtifacts(all []cluster.Artifact) error {
	if len(all) > maxArtifacts {
		return fmt.Errorf("%d artifacts, over the limit of %d", len(all), maxArtifacts)
	}
	for _, artifact := range all {
		if err := a.cfg.Fetch.Check(artifact); err != nil {
			return err
		}
	}
	return nil
}

// fetch brings the task's artifacts to its sandbox; what is there of an earlier
// try stays.
func (t *task) fetch(ctx context.Context) error {
	all := t.spec.Container.Artifacts
	for i, artifact := range all {
		message := fmt.Sprintf("fetching artifact %d of %d: %s", i+1, len(all), fetch.Name(artifact))
		if !fetch.Pinned(artifact) {
			message += " (warning: it has no checksum)"
			t.a.log.Warn("an artifact has no checksum", "task", string(t.spec.ID), "artifact", fetch.Name(artifact))
		}
		t.sayStarting(message)
		if err := t.a.cfg.Fetch.Fetch(ctx, artifact, runner.ArtifactPath(t.a.sandbox(t.spec.ID), i)); err != nil {
			return err
		}
	}
	return nil
}
