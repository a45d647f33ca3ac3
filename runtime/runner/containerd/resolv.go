package containerd

import (
	"errors"
	"net/netip"
	"os"
	"strings"
)

const (
	// resolvFile names the machine's name servers.
	resolvFile = "/etc/resolv.conf"
	// resolvedFile names those behind systemd's resolver, which itself listens on loopback.
	resolvedFile = "/run/systemd/resolve/resolv.conf"
)

// resolvConf is the machine's resolv.conf, as it is good for a container; an
// own network namespace does not reach what listens on the machine's loopback.
func resolvConf(ownNetwork bool) (string, error) {
	text, err := readIfThere(resolvFile)
	if err != nil || !ownNetwork {
		return text, err
	}
	kept, dropped := withoutLoopback(text)
	if dropped && !strings.Contains(kept, "nameserver") {
		behind, err := readIfThere(resolvedFile)
		if err != nil {
			return "", err
		}
		kept, _ = withoutLoopback(behind)
	}
	return kept, nil
}

func readIfThere(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// withoutLoopback drops the name servers of a resolv.conf that are on loopback.
func withoutLoopback(text string) (kept string, dropped bool) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			if a, err := netip.ParseAddr(f[1]); err == nil && a.IsLoopback() {
				dropped = true
				continue
			}
		}
		b.WriteString(line)
	}
	return b.String(), dropped
}
