package fake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var image = "registry.test/probe@sha256:" + strings.Repeat("0", 64)

// probe does what the program /probe does.
func probe(s runner.Spec) fake.Behaviour {
	if s.Task.Container.Image != image {
		return fake.Behaviour{PrepareErr: fmt.Errorf("not there: %w", runner.ErrImage)}
	}
	b := fake.Behaviour{Output: "ready\n", Exec: probeExec}
	argv := s.Task.Container.Command
	switch argv[1] {
	case "exit":
		code, _ := strconv.Atoi(argv[2])
		b.Exit = &runner.Exit{Code: code}
	case "print":
		b.Output, b.Exit = argv[2]+"\n", &runner.Exit{}
	case "write", "read":
		b.Output, b.Exit = file(s, argv[1], argv[2])
	case "graceful":
		b.TERM = &runner.Exit{}
	case "stubborn":
		b.IgnoreTERM = true
	}
	return b
}

// file does what the program does with a file on a volume.
func file(s runner.Spec, verb, path string) (string, *runner.Exit) {
	failed := &runner.Exit{Code: 99}
	for _, v := range s.Volumes {
		name, ok := strings.CutPrefix(path, v.Path+"/")
		if !ok {
			continue
		}
		at := filepath.Join(v.Source, name)
		if verb == "write" {
			if v.ReadOnly || os.WriteFile(at, []byte("written\n"), 0o600) != nil {
				return "", failed
			}
			return "wrote " + path + "\n", &runner.Exit{}
		}
		if b, err := os.ReadFile(at); err == nil {
			return string(b), &runner.Exit{}
		}
	}
	return "", failed
}

func probeExec(argv []string, out io.Writer) (int, error) {
	switch argv[1] {
	case "exit":
		return strconv.Atoi(argv[2])
	case "print":
		fmt.Fprintln(out, argv[2])
	case "flood":
		n, _ := strconv.Atoi(argv[2])
		_, err := io.WriteString(out, strings.Repeat("x", n))
		return 0, err
	}
	return 0, nil
}

func TestSuite(t *testing.T) {
	r := &fake.Runner{Script: probe}
	runnertest.Run(t, runnertest.Harness{
		Open:             func(*testing.T) runner.Runner { return r },
		Image:            image,
		MissingImage:     "registry.test/missing@sha256:" + strings.Repeat("1", 64),
		NoMissingProgram: true,
	})
}

func TestOutage_losesTheCodeOfWhatEndsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &fake.Runner{Script: func(runner.Spec) fake.Behaviour {
			return fake.Behaviour{After: time.Minute, Exit: &runner.Exit{Code: 5}}
		}}
		ends := r.Watch(ctx)
		<-ends
		spec := runner.Spec{}
		spec.Task.ID, spec.Task.Container.Image = "a.1", image
		if err := r.Start(ctx, spec); err != nil {
			t.Fatal(err)
		}
		r.Outage()
		if err := r.Start(ctx, spec); !errors.Is(err, runner.ErrUnavailable) {
			t.Errorf("Start during an outage: got %v", err)
		}
		wait := time.NewTimer(2 * time.Minute)
		<-wait.C
		r.Restore()
		if s := <-ends; s.ID != "" || s.Exit != nil {
			t.Errorf("after the outage: got %+v, want the marker", s)
		}
		list, err := r.List(ctx)
		if err != nil || len(list) != 1 || list[0].Exit == nil || !list[0].Exit.Unknown {
			t.Errorf("List after the outage: got %+v, %v, want an unknown end", list, err)
		}
		cancel()
		for range ends {
		}
	})
}

func TestPrune_longestUnusedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		r := &fake.Runner{ImageSize: func(string) int64 { return 10 }}
		ref := func(i int) string { return fmt.Sprintf("registry.test/%d@sha256:%064d", i, i) }
		for i := range 4 {
			spec := runner.Spec{}
			spec.Task.ID, spec.Task.Container.Image = cluster.TaskID(strconv.Itoa(i)), ref(i)
			if err := r.Prepare(ctx, spec, nil); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				if err := r.Start(ctx, spec); err != nil {
					t.Fatal(err)
				}
			}
			<-time.After(time.Hour)
		}
		freed, err := r.Prune(ctx, time.Now().Add(-90*time.Minute), func(int64) bool { return false })
		if diff := cmp.Diff([]string{ref(1), ref(3)}, r.Images()); err != nil || freed != 20 || diff != "" {
			t.Errorf("Prune: got %d, %v, want 20 and what is used or new kept (-want +got):\n%s", freed, err, diff)
		}
	})
}

func TestReboot_leavesHalves(t *testing.T) {
	ctx := t.Context()
	r := &fake.Runner{}
	a, err := r.Attach(ctx, "g", cluster.Network{Name: cluster.DefaultNetwork})
	if err != nil {
		t.Fatal(err)
	}
	spec := runner.Spec{Network: a.Namespace}
	spec.Task.ID = "a.1"
	if err := r.Start(ctx, spec); err != nil {
		t.Fatal(err)
	}
	r.Reboot()
	all, err := r.Attachments(ctx)
	if err != nil || len(all) != 1 || all[0].Address != "" {
		t.Errorf("Attachments after a reboot: got %+v, %v, want half of one", all, err)
	}
	if err := r.Start(ctx, spec); !errors.Is(err, runner.ErrSpec) {
		t.Errorf("Start in a namespace of before: got %v", err)
	}
}
