package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this one seed, and print what happens when it fails")
	seedsFlag = flag.Int("seeds", 60, "how many seeds to run, the last of them a random one")
	smallFlag = flag.Duration("minimise", 20*time.Second, "how long a failure is made smaller")
	saveFlag  = flag.String("save", filepath.Join("testdata", "failed"), "where failures are saved as scenarios")
)

// TestSeeds lets chance decide: what is asked of the cluster, who uses it, what
// fails, how badly. Then all faults end, and it must settle.
func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		trySeed(t, *seedFlag)
		return
	}
	for i := range *seedsFlag {
		seed := uint64(i + 1)
		if i == *seedsFlag-1 {
			seed = rand.Uint64()>>1 + 1
		}
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			trySeed(t, seed)
		})
	}
}

// trySeed runs a seed. A failure is made smaller and saved.
func trySeed(t *testing.T, seed uint64) {
	t.Helper()
	ops := Plan(seed)
	_, err := Run(seed, ops)
	if err == nil {
		return
	}
	t.Errorf("SEED=%d COMMIT=%s %v", seed, commit(), err)
	end := time.Now().Add(*smallFlag)
	class := FailureClass(err)
	least := Minimise(ops, func(ops []Op) bool {
		_, err := Run(seed, ops)
		return FailureClass(err) == class
	}, func() bool { return time.Now().Before(end) })
	path, saved := save(seed, least, err)
	t.Logf("%d of %d operations are left; saved as %s (%v), which TestScenarios replays", len(least), len(ops), path, saved)
}

// save writes a failure as a scenario that expects what it should have led to.
func save(seed uint64, ops []Op, failure error) (string, error) {
	first, _, _ := strings.Cut(failure.Error(), "\n")
	var b strings.Builder
	fmt.Fprintf(&b, "# SEED=%d COMMIT=%s\n# %s\n\nreplay seed=%d\n", seed, commit(), first, seed)
	for _, op := range ops {
		fmt.Fprintln(&b, op)
	}
	b.WriteString("----\nok\n")
	path := filepath.Join(*saveFlag, fmt.Sprintf("seed-%d.txt", seed))
	if err := os.MkdirAll(*saveFlag, 0o755); err != nil {
		return path, err
	}
	return path, os.WriteFile(path, []byte(b.String()), 0o644)
}

// commit names the source that was tested.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	// A test binary is not stamped; its working directory is the source's.
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// TestSeeds_areReproducible runs a seed twice.
func TestSeeds_areReproducible(t *testing.T) {
	run := func(seed uint64) *Sim {
		s, err := Run(seed, Plan(seed))
		if err != nil {
			t.Fatalf("SEED=%d %v", seed, err)
		}
		return s
	}
	a, b := run(3), run(3)
	if x, y := a.View().Hash(), b.View().Hash(); x != y || a.number != b.number {
		t.Errorf("two runs of one seed: states %s and %s after %d and %d events", x, y, a.number, b.number)
	}
	if a.View().Hash() == run(4).View().Hash() {
		t.Error("two seeds give the same state")
	}
}
