package containerd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// rlimits are the limits a task may name, by setrlimit(2).
var rlimits = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
	"msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
	"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// checkRlimits refuses what is unknown, said twice, or over what we have
// ourselves: raising a hard limit needs CAP_SYS_RESOURCE, and runc would fail
// with less of an explanation.
func checkRlimits(all []cluster.Rlimit) error {
	seen := map[string]bool{}
	for _, l := range all {
		kind, ok := rlimits[l.Name]
		switch {
		case !ok:
			return fmt.Errorf("rlimit %q is not known: %w", l.Name, runner.ErrSpec)
		case seen[l.Name]:
			return fmt.Errorf("rlimit %q is there twice: %w", l.Name, runner.ErrSpec)
		case l.Soft > l.Hard:
			return fmt.Errorf("rlimit %q: soft %d is over hard %d: %w", l.Name, l.Soft, l.Hard, runner.ErrSpec)
		}
		seen[l.Name] = true
		var own unix.Rlimit
		if err := unix.Getrlimit(kind, &own); err != nil {
			return fmt.Errorf("rlimit %q: %w", l.Name, err)
		}
		if l.Hard > own.Max {
			return fmt.Errorf("rlimit %q: hard %d is over the agent's own %d: %w", l.Name, l.Hard, own.Max, runner.ErrSpec)
		}
	}
	return nil
}

// withRlimits sets the task's limits, and that of open files where it names none.
func withRlimits(files uint64, task []cluster.Rlimit) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error {
		s.Process.Rlimits = nil
		if !slices.ContainsFunc(task, func(l cluster.Rlimit) bool { return l.Name == "nofile" }) {
			s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Hard: files, Soft: files})
		}
		for _, l := range task {
			s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{
				Type: "RLIMIT_" + strings.ToUpper(l.Name), Hard: l.Hard, Soft: l.Soft,
			})
		}
		return nil
	}
}
