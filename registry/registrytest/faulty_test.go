package registrytest_test

import (
	"errors"
	"testing"

	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/layout"
	"github.com/universe-dcos/universe/registry/registrytest"
)

func openLayout(t *testing.T) registry.Store {
	t.Helper()
	l, err := layout.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return l.Repository("")
}

// A Faulty that never fails is a Store like the one it holds.
func TestFaulty_passesTheSuite(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registry.Store { return &registrytest.Faulty{Store: openLayout(t)} })
}

func TestFaulty_failsFromItsOperationOn(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := openLayout(t)
		m := registrytest.PushManifest(t, s, "one", nil)
		f := &registrytest.Faulty{Store: s, At: 2, Late: late}
		for i, tag := range []string{"a", "b", "c"} {
			if err := f.Tag(t.Context(), m, tag); errors.Is(err, registrytest.ErrInjected) != (i > 0) {
				t.Errorf("operation %d = %v", i+1, err)
			}
		}
		tags, err := s.Tags(t.Context())
		want := 1
		if late {
			want = 2
		}
		if err != nil || len(tags) != want {
			t.Errorf("late %v: tags %q, %v, want %d", late, tags, err, want)
		}
		if f.Operations() != 3 {
			t.Errorf("Operations = %d, want 3", f.Operations())
		}
	}
}
