package image

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
)

// unavailable skips a test for want of something of the machine; on the build
// server it fails, as nothing may be skipped there.
func unavailable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("needed here, but "+format, args...)
	}
	t.Skipf(format, args...)
}

// TestBuild_debianIsReproducible builds an image of a real package twice, each
// time from an empty cache.
func TestBuild_debianIsReproducible(t *testing.T) {
	for _, tool := range []tool{aptGet, dpkg} {
		if _, err := exec.LookPath(tool.name); err != nil {
			unavailable(t, "the program %s is not on PATH", tool.name)
		}
	}
	r := load(t, "  - debian: {packages: [hostname], exclude: [usr/share/man]}\n", nil)
	r.Platform = "linux/" + runtime.GOARCH
	first, err := r.Build(t.Context(), Options{CacheDir: t.TempDir()})
	if problem.Is(err, problem.NotFound) || problem.Is(err, problem.Unavailable) {
		unavailable(t, "apt cannot give the package hostname: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	second, digest, phases := build(t, r, Options{CacheDir: t.TempDir()})
	if got, err := first.Digest(); err != nil || got != digest {
		t.Errorf("digests %v (%v) and %v, want them equal", got, err, digest)
	}
	if phases[0] != PhaseDownload || phases[len(phases)-1] != PhaseDone {
		t.Errorf("phases %v, want download to done", phases)
	}
	checkImage(t, second)
	got := names(t, second)
	for _, want := range []string{"bin", "usr/bin/hostname", "usr/share/doc/hostname/copyright"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not in the image: %v", want, got)
		}
	}
	if slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, "usr/share/man") }) {
		t.Errorf("manual pages are in the image: %v", got)
	}
	cf, err := second.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if by := cf.History[0].CreatedBy; !strings.HasPrefix(by, "debian hostname ") {
		t.Errorf("history %q, want the package and its version", by)
	}
}

func TestBuild_debianUnknownPackage(t *testing.T) {
	if _, err := exec.LookPath(aptGet.name); err != nil {
		unavailable(t, "the program %s is not on PATH", aptGet.name)
	}
	r := load(t, "  - debian: {packages: [no-such-package-anywhere]}\n", nil)
	_, err := r.Build(t.Context(), Options{CacheDir: t.TempDir()})
	if !problem.Is(err, problem.NotFound) || !strings.Contains(problem.Of(err).Hint, "apt-get update") {
		t.Errorf("error %v, want class not_found with a hint", err)
	}
}
