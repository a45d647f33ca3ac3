package checkpoint

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func attempt(t *testing.T, l *Ledger) int64 {
	t.Helper()
	n, err := l.Attempt()
	must(t, err)
	return n
}

func TestAttempt_growsOverCrashes(t *testing.T) {
	dir := t.TempDir()
	path, crashed := filepath.Join(dir, "agent.db"), filepath.Join(dir, "crashed.db")
	l := open(t, path)
	life, last := l.Life(), int64(0)
	if life == "" {
		t.Error("the ledger's life has no name")
	}
	for range attemptBlock + 3 {
		n := attempt(t, l)
		if n <= last {
			t.Fatalf("attempt %d after %d", n, last)
		}
		last = n
	}
	// What is on disk when the agent dies without a word.
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(crashed, b, 0o600))
	for _, p := range []string{path, crashed} {
		must(t, l.Close())
		l = open(t, p)
		if n := attempt(t, l); n <= last || l.Life() != life {
			t.Errorf("%s: got attempt %d of life %s, want more than %d of %s", filepath.Base(p), n, l.Life(), last, life)
		}
	}
	if other := open(t, filepath.Join(dir, "other.db")); other.Life() == life {
		t.Error("two ledgers have one life")
	}
}

// TestAttempt_needsNoDiskForAWhile closes the file, as a disk that takes nothing.
func TestAttempt_needsNoDiskForAWhile(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "agent.db"))
	attempt(t, l)
	must(t, l.Close())
	for range attemptBlock - 1 {
		attempt(t, l)
	}
	if n, err := l.Attempt(); err == nil {
		t.Errorf("an attempt that cannot be counted: got %d and no error", n)
	}
}

func TestSetVolumes_isKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.db")
	l := open(t, path)
	must(t, l.Launch(cluster.TaskSpec{ID: "a.1"}, st("a.1", cluster.TaskStarting, "u1", 10)))
	want := []cluster.VolumeName{{Role: "r", ID: "v"}}
	must(t, l.SetVolumes("a.1", want))
	must(t, l.Close())
	l = open(t, path)
	seen := 0
	l.Scan(func(r *Record) bool {
		seen++
		if diff := cmp.Diff(want, r.Volumes); diff != "" || !r.Active() {
			t.Errorf("volumes, active %t (-want +got):\n%s", r.Active(), diff)
		}
		return true
	})
	if seen != 1 {
		t.Errorf("Scan: got %d records, want 1", seen)
	}
}
