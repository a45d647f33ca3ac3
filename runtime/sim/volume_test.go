package sim

import (
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// TestVolumes_leaveNothing has frameworks make and destroy a thousand volumes.
// When they are gone, nothing is reserved and no data is left.
func TestVolumes_leaveNothing(t *testing.T) {
	const rounds, limit = 1000, 500
	s, err := Run(5, []Op{{Verb: "agents", Words: []string{"4"}}})
	if err != nil {
		t.Fatal(err)
	}
	s.CheckEvery = 50
	s.SetFaults(Faults{Loss: 0.01, Duplicate: 0.05, LateHello: 0.2})
	var guests []*guest
	for _, f := range []struct {
		id   cluster.FrameworkID
		role cluster.Role
	}{{"k1", "eng"}, {"k2", "eng"}, {"k3", "other"}} {
		guests = append(guests, s.AddFramework(f.id, Stateful, f.role))
	}
	made := func() (n int) {
		for _, g := range guests {
			n += g.rounds
		}
		return n
	}
	for i := 0; made() < rounds; i++ {
		if i == limit {
			t.Fatalf("%d volumes were destroyed in %d minutes, want %d", made(), limit, rounds)
		}
		s.Advance(60_000)
		if s.Err() != nil {
			t.Fatalf("SEED=5 %v", s.Err())
		}
	}
	s.Heal()
	s.Teardown()
	if err := s.Settle(600_000); err != nil {
		t.Fatalf("SEED=5 %v", err)
	}
	if n := len(s.custody.born); n != 0 {
		t.Errorf("%d volumes are left", n)
	}
}
