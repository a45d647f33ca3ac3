package command

import (
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestMatchTask(t *testing.T) {
	task := func(id string, s cluster.TaskState) cluster.Task {
		return cluster.Task{Spec: cluster.TaskSpec{ID: cluster.TaskID(id)}, Status: cluster.TaskStatus{State: s}}
	}
	tasks := []cluster.Task{
		task("spark.master-0.master.5", cluster.TaskRunning),
		task("spark.worker-0.worker.7", cluster.TaskFailed),
		task("spark.worker-0.worker.9", cluster.TaskRunning),
		task("spark.worker-1.worker.7", cluster.TaskRunning),
		task("worker.a-0.a.1", cluster.TaskFinished),
		task("nginx.server-0.server.1", cluster.TaskRunning),
		task("nginx.server-0.server.11", cluster.TaskRunning),
	}
	for part, want := range map[string]string{
		"spark.master-0.master.5": "spark.master-0.master.5",
		"spark.m":                 "spark.master-0.master.5",
		"master-0":                "spark.master-0.master.5",
		"worker-0":                "spark.worker-0.worker.9", // the other one has ended
		"worker.a":                "worker.a-0.a.1",          // a beginning wins over a part
		"nginx.server-0.server.1": "nginx.server-0.server.1", // the whole id wins
	} {
		if got, err := matchTask(tasks, part); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", part, got, err, want)
		}
	}
	if _, err := matchTask(tasks, "spark"); !problem.Is(err, problem.Invalid) || len(problem.Of(err).Details) != 4 {
		t.Errorf("ambiguous: %v, %v", err, problem.Of(err).Details)
	}
	if _, err := matchTask(tasks, "kafka"); !problem.Is(err, problem.NotFound) {
		t.Errorf("unknown: %v", err)
	}
}
