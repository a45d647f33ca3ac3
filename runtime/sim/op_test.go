package sim

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestParseOp_readsWhatStringWrites(t *testing.T) {
	for _, line := range []string{"heal", "agents 3 cpus=8 mem=32G", "partition a1,a2 | rest", "service web readiness pods=(a:1,b:2:unique) image=1"} {
		op, err := ParseOp(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if op.String() != line {
			t.Errorf("%q is written as %q", line, op)
		}
	}
	for _, line := range []string{"", "  ", "x =1", "x k=(a", "x k=a)", "x k=((a))", strings.Repeat("x", maxOpLine+1)} {
		if op, err := ParseOp(line); err == nil {
			t.Errorf("%q was read as %v", line, op)
		}
	}
}

func TestDo_refusesWhatMeansNothing(t *testing.T) {
	for _, line := range []string{"dance", "agents", "agents -1", "agents 3 mem=x", "agents 3 cpus=NaN", "agents 99999999", "advance", "advance 9", "advance 48h",
		"framework f1", "framework f1 kind", "faults loss=2", "faults loss=NaN", "faults delay=-1s", "crash nobody 3s", "cut nobody", "partition a1",
		"partition a1 | a2", "service web pods=(a:x)", "service web pods=(a)", "service web pods=(a:1:odd)", "kill-task x", "kill-container a1 x", "settle x", "skew a1 x"} {
		op, err := ParseOp(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := New(1).Do(op); err == nil {
			t.Errorf("%q was done", line)
		}
	}
}

func TestPlan_isReadBack(t *testing.T) {
	for seed := range uint64(50) {
		ops := Plan(seed)
		lines := make([]string, len(ops))
		for i, op := range ops {
			lines[i] = op.String()
		}
		back, err := ParseOps(strings.Join(lines, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ops, back); diff != "" {
			t.Fatalf("seed %d (-plan +read back):\n%s", seed, diff)
		}
	}
}

// TestMinimise_keepsWhatFails has a plan fail when two of its operations and one
// of its faults come together.
func TestMinimise_keepsWhatFails(t *testing.T) {
	ops, err := ParseOps("agents 4\nfaults loss=0.1 delay=5ms\nframework f1 dead\nadvance 1s\nkill-task 3\nadvance 2s\nadvance 3s\nmend\nremove s1\nheal\nsettle 5s")
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	fails := func(ops []Op) bool {
		runs++
		all := make([]string, len(ops))
		for i, op := range ops {
			all[i] = op.String()
		}
		text := strings.Join(all, "\n")
		return strings.Contains(text, "loss") && strings.Contains(text, "kill-task 3") && strings.Contains(text, "remove s1")
	}
	got := Minimise(ops, fails, func() bool { return true })
	want, _ := ParseOps("agents 4\nfaults loss=0.1\nkill-task 3\nremove s1\nheal\nsettle 5s")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	runs = 0
	if got := Minimise(ops, fails, func() bool { return runs < 3 }); runs > 3 || !fails(got) {
		t.Errorf("with time for 3 runs: %d runs, %v", runs, got)
	}
	if slices.ContainsFunc(ops, func(op Op) bool { return op.Verb == "faults" && len(op.Options) != 2 }) {
		t.Error("the plan that was given changed")
	}
}

func TestFailureClass_isTheSameForTheSameFault(t *testing.T) {
	s := New(1)
	s.fail("agent %s is to launch task %d", "a1", 17)
	r := New(2)
	r.Advance(5000)
	r.fail("agent %s is to launch task %d", "a2", 3)
	if a, b := FailureClass(s.Err()), FailureClass(r.Err()); a != b || a == "" {
		t.Errorf("classes %q and %q", a, b)
	}
	r = New(3)
	r.fail("the master does not come back: it is tired")
	if a, b := FailureClass(s.Err()), FailureClass(r.Err()); a == b || FailureClass(nil) != "" {
		t.Errorf("classes %q and %q", a, b)
	}
}

// FuzzRun does what anybody writes: nothing may panic, and no invariant may break.
func FuzzRun(f *testing.F) {
	for seed := range uint64(8) {
		lines := []string{}
		for _, op := range Plan(seed)[2:] {
			lines = append(lines, op.String())
		}
		f.Add(seed, strings.Join(lines[:fuzzOps], "\n"))
	}
	f.Add(uint64(1), "agents 2\ninstall spark\nadvance 9s\npartition a1 | rest\nadvance 10s\nheal")
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		ops, err := ParseOps(text)
		if err != nil || len(ops) > fuzzOps {
			return
		}
		s := New(seed)
		s.CheckEvery = 10
		s.AddAgents(1, cluster.Resources{CPU: 4000, Mem: 4 << 30})
		for _, op := range ops {
			if !costly(op) && s.Now() < 1_060_000 {
				_ = s.Do(op) // what it refuses is not done
			}
		}
		if err := s.Err(); err != nil && !strings.Contains(err.Error(), "not settled") {
			t.Fatal(err)
		}
	})
}

// fuzzOps is how many operations the fuzzer's runs have.
const fuzzOps = 12

// costly reports whether an operation takes the fuzzer too long.
func costly(op Op) bool {
	d, err := span(op.word(0))
	return op.Verb == "agents" && len(op.word(0)) > 1 || err == nil && d > 30_000 || len(strings.Join(op.list("pods"), "")) > 60
}
