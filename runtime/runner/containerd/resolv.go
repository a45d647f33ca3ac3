package containerd

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
)

const (
	// resolvFile names the machine's name servers.
	resolvFile = "/etc/resolv.conf"
	// resolvedFile names those behind systemd's resolver, which itself listens on loopback.
	resolvedFile = "/run/systemd/resolve/resolv.conf"
	// maxResolvers and maxSearch bound what a resolv.conf names: libraries read no
	// more name servers, and older ones no more domains (resolv.conf(5)).
	maxResolvers = 3
	maxSearch    = 6
)

// resolvConf is the resolv.conf of a container.
func (o *Options) resolvConf(ownNetwork bool) (string, error) {
	text, err := machineResolvConf(ownNetwork)
	if err != nil || len(o.Resolvers) == 0 && len(o.Search) == 0 {
		return text, err
	}
	return withResolvers(text, o.Resolvers, o.Search), nil
}

// withResolvers puts name servers in the place of those of a resolv.conf, and
// domains before its own.
func withResolvers(text string, resolvers []netip.Addr, search []string) string {
	var b, rest strings.Builder
	for _, a := range resolvers[:min(len(resolvers), maxResolvers)] {
		b.WriteString("nameserver " + a.String() + "\n")
	}
	var own []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && (f[0] == "search" || f[0] == "domain"):
			own = f[1:] // the last of them counts
		case len(f) > 1 && f[0] == "nameserver" && len(resolvers) > 0:
		default:
			rest.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	all := slices.Clone(search)
	for _, d := range own {
		if d != "." && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	if len(all) > 0 {
		b.WriteString("search " + strings.Join(all[:min(len(all), maxSearch)], " ") + "\n")
	}
	return b.String() + rest.String()
}

// machineResolvConf is the machine's resolv.conf, as it is good for a container; an
// own network namespace does not reach what listens on the machine's loopback.
func machineResolvConf(ownNetwork bool) (string, error) {
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
