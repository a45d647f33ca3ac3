package sim

import (
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// TestInstalls_leaveNothing installs and uninstalls services with volumes, steps
// and gates a thousand times. Then nothing is reserved, no data is left, and the
// state is no larger than it was after the first of them.
func TestInstalls_leaveNothing(t *testing.T) {
	const rounds, atOnce = 100, 10
	s, err := Run(7, []Op{{Verb: "agents", Words: []string{"3"}}})
	if err != nil {
		t.Fatal(err)
	}
	s.CheckEvery = 200
	size := 0
	for round := range rounds {
		for i := range atOnce {
			op, err := ParseOp(fmt.Sprintf("service s%d pods=(p:2:vol1:once:after:gate,q:1:vol1:step) cpus=0.1 mem=64M", i))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Do(op); err != nil {
				t.Fatal(err)
			}
		}
		settleOrFail(t, s)
		for i := range atOnce {
			s.Want(core.RemoveService{Service: cluster.ServiceID(fmt.Sprintf("s%d", i)), Principal: "ann"})
		}
		settleOrFail(t, s)
		if round == 0 || round == rounds-1 {
			for _, a := range s.agents { // each hears what was destroyed
				s.CrashAgent(a.id, 100)
			}
			s.Advance(20_000)
			settleOrFail(t, s)
		}
		if round == 0 {
			size = len(s.master.state.Snapshot())
		}
	}
	if want := rounds * atOnce * 3; s.deeds.released != want {
		t.Errorf("%d places were made and given up, want %d", s.deeds.released, want)
	}
	s.Uninstall()
	settleOrFail(t, s)
	for _, a := range s.agents {
		if err := s.bare(a, s.View()); err != nil {
			t.Errorf("agent %s: %v", a.id, err)
		}
	}
	if n := len(s.custody.born); n != 0 {
		t.Errorf("%d volumes are left", n)
	}
	if now := len(s.master.state.Snapshot()); now > size+size/4 { // numbers get longer
		t.Errorf("the state has %d bytes, and had %d after the first round", now, size)
	}
}

func settleOrFail(t *testing.T, s *Sim) {
	t.Helper()
	if err := s.Settle(600_000); err != nil {
		t.Fatalf("SEED=7 %v", err)
	}
}
