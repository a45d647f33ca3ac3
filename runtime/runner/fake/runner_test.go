package fake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

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
	case "graceful":
		b.TERM = &runner.Exit{}
	case "stubborn":
		b.IgnoreTERM = true
	}
	return b
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
