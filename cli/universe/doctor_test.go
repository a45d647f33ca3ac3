package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// programs makes a directory with these programs.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDoctor_namesWhatABundleLacks(t *testing.T) {
	whole := programs(t, "containerd", "containerd-shim-runc-v2", "runc", "universe-output", "bridge", "host-local", "portmap")
	part := programs(t, "containerd", "host-local")
	if err := os.WriteFile(filepath.Join(part, "runc"), nil, 0o644); err != nil { // no program
		t.Fatal(err)
	}
	for _, c := range []struct {
		check    func(string) finding
		optional bool
		says     string
	}{
		{checkBundle, false, "lacks containerd-shim-runc-v2, runc"},
		{checkOutput, true, "no universe-output"},
		{checkPlugins, true, "no bridge, portmap"},
	} {
		if f := c.check(whole); !f.OK {
			t.Errorf("a whole bundle: %+v", f)
		}
		f := c.check(part)
		if f.OK || f.Optional != c.optional || !strings.Contains(f.Seen, c.says) || !strings.Contains(f.Mend, "make bundle") {
			t.Errorf("a part of a bundle: %+v, want %q", f, c.says)
		}
	}
}

func TestDoctor_firewall(t *testing.T) {
	empty, nft, iptables := t.TempDir(), programs(t, "nft"), programs(t, "iptables")
	join := func(dirs ...string) string { return strings.Join(dirs, string(filepath.ListSeparator)) }
	for path, want := range map[string]string{
		join(empty, iptables): filepath.Join(iptables, "iptables"), join(iptables, nft): filepath.Join(nft, "nft"),
	} {
		if f := checkFirewall(path); !f.OK || f.Seen != want {
			t.Errorf("got %+v, want %s", f, want)
		}
	}
	if f := checkFirewall(empty); f.OK || !f.Optional || !strings.Contains(f.Mend, "nftables") || !strings.Contains(f.Seen, "bridge") {
		t.Errorf("without one: %+v", f)
	}
}

func TestDoctor_forwarding(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "forward"+text)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if f := checkForwarding(file("1")); !f.OK || f.Seen != "on" {
		t.Errorf("on: %+v", f)
	}
	if f := checkForwarding(file("0")); !f.OK || !strings.Contains(f.Seen, "turns it on") {
		t.Errorf("off: %+v", f)
	}
	if f := checkForwarding(filepath.Join(dir, "none")); f.OK || !f.Optional || !strings.Contains(f.Mend, "sysctl") {
		t.Errorf("cannot be set: %+v", f)
	}
}

// TestDoctor_prints that a warning is no failure, and what to do about both.
func TestDoctor_prints(t *testing.T) {
	var out strings.Builder
	bad := printFindings(&out, []finding{
		{Name: "root", OK: true, Seen: "user id 0"},
		{Name: "firewall", Optional: true, Seen: "none", Mend: "install it"},
		{Name: "disk", Seen: "full", Mend: "free some"},
	})
	want := `ok    root         user id 0
warn  firewall     none
      mend:        install it
FAIL  disk         full
      mend:        free some
`
	if bad != 1 || out.String() != want {
		t.Errorf("%d failures and\n%s", bad, out.String())
	}
}
