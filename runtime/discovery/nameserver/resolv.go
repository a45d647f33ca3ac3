package nameserver

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// ResolvFile names the machine's resolvers.
	ResolvFile = "/etc/resolv.conf"
	// resolvEvery is how long what was read of it is used without another look.
	resolvEvery = 5 * time.Second
	// maxResolv bounds the file, in bytes.
	maxResolv = 64 << 10
	// dnsPort is where resolvers listen.
	dnsPort = 53
)

// ResolvConf gives the resolvers that a file in the form of resolv.conf(5)
// names, and those it names later, when it was changed. While the file cannot
// be read, they are those of before.
func ResolvConf(path string) func() []netip.AddrPort {
	r := &resolv{path: path}
	return r.get
}

type resolv struct {
	path string
	mu   sync.Mutex
	last time.Time
	now  []netip.AddrPort
}

func (r *resolv) get() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := time.Now(); r.last.IsZero() || at.Sub(r.last) >= resolvEvery {
		r.last = at
		if f, err := os.Open(r.path); err == nil {
			text, err := io.ReadAll(io.LimitReader(f, maxResolv))
			_ = f.Close()
			if err == nil {
				r.now = resolvers(text)
			}
		}
	}
	return r.now
}

// resolvers reads the name servers of a resolv.conf.
func resolvers(text []byte) []netip.AddrPort {
	var out []netip.AddrPort
	for scan := bufio.NewScanner(bytes.NewReader(text)); scan.Scan() && len(out) < MaxUpstreams; {
		f := strings.Fields(scan.Text())
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			out = append(out, netip.AddrPortFrom(a.Unmap(), dnsPort))
		}
	}
	return out
}
