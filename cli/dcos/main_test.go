package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// maxSize is what the stripped program may weigh, in bytes: it goes to every
// desk and into every pipeline.
const maxSize = 25 << 20

// build makes the program as a release does.
func build(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "dcos")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=9.8.7", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func TestProgram_isSmallAndKnowsItsVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program")
	}
	path := build(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxSize {
		t.Errorf("%d bytes, the limit is %d", info.Size(), maxSize)
	}
	out, err := exec.Command(path, "--version").Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != "dcos 9.8.7" {
		t.Errorf("--version: %q, %v", got, err)
	}
}

// BenchmarkStart measures a whole run of `dcos --version`.
func BenchmarkStart(b *testing.B) {
	path := build(b)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	best := time.Hour
	for b.Loop() {
		began := time.Now()
		if err := exec.Command(path, "--version").Run(); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(began))
	}
	b.ReportMetric(float64(best.Microseconds())/1000, "best-ms")
	fmt.Printf("figure cli.start %.1f ms\n", b.Elapsed().Seconds()*1000/float64(b.N))
	fmt.Printf("figure cli.size %.1f MB\n", float64(info.Size())/1e6)
}
