package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/discovery"
)

// zoneAt is a zone with one name: master.universe.
func zoneAt(t *testing.T, index int64, master string) *discovery.Zone {
	t.Helper()
	var empty discovery.Board
	z, err := empty.Zone().Apply(discovery.Update{Index: index,
		Nodes: &discovery.Nodes{Index: index, Master: []netip.Addr{netip.MustParseAddr(master)}}})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// askAt asks one name server for an address.
func askAt(t *testing.T, server net.Addr, network, name string) ([]string, error) {
	t.Helper()
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server.String())
	}}
	return r.LookupHost(t.Context(), name)
}

// namesOf are those of an agent on loopback, which follows a master at url.
func namesOf(t *testing.T, dir, url string, log *slog.Logger) (*localNames, []func(context.Context) error) {
	t.Helper()
	cfg := agentConfig{Master: url, Dir: dir, DNS: dnsConfig{Listen: "127.0.0.1:0", Upstreams: []string{"127.0.0.1:1"}},
		VirtualAddresses: vipConfig{Off: true}}
	for range 5 { // the port that is free for UDP may be taken for TCP
		n, parts, err := agentNames(t.Context(), cfg, http.DefaultClient, log)
		if err != nil {
			t.Fatal(err)
		}
		if len(n.udp) == 1 && len(n.tcp) == 1 {
			return n, parts
		}
	}
	t.Fatal("no port on loopback is free for UDP and TCP")
	return nil, nil
}

func TestAgentNames_followTheMasterAndOutliveIt(t *testing.T) {
	var board discovery.Board
	board.Set(zoneAt(t, 7, "10.0.0.1"))
	master := httptest.NewServer(discovery.Handler(board.Zone, board.Changed))
	defer master.Close()
	quietly := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	n, parts := namesOf(t, dir, master.URL, quietly)
	if len(n.resolvers) != 0 {
		t.Errorf("containers are told of %v, which they do not reach", n.resolvers)
	}
	live := func(n *localNames, parts []func(context.Context) error, during func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- runAll(ctx, parts...) }()
		during()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
		if err := n.close(); err != nil {
			t.Errorf("closed with %v", err)
		}
	}
	live(n, parts, func() {
		for _, network := range []string{"udp", "tcp"} {
			server := n.udp[0].LocalAddr()
			if network == "tcp" {
				server = n.tcp[0].Addr()
			}
			if got, err := askAt(t, server, network, "master.universe."); err != nil || fmt.Sprint(got) != "[10.0.0.1]" {
				t.Errorf("%s: got %v, %v", network, got, err)
			}
			if _, err := askAt(t, server, network, "nobody.universe."); err == nil || !strings.Contains(err.Error(), "no such host") {
				t.Errorf("%s: a name that is not there: %v", network, err)
			}
		}
		changed := n.board.Changed()
		board.Set(zoneAt(t, 8, "10.0.0.2"))
		<-changed
		if got, err := askAt(t, n.udp[0].LocalAddr(), "udp", "master.universe."); err != nil || fmt.Sprint(got) != "[10.0.0.2]" {
			t.Errorf("after a change: got %v, %v", got, err)
		}
	})
	// The next life has them although the master does not answer.
	master.Close()
	n, parts = namesOf(t, dir, master.URL, quietly)
	live(n, parts, func() {
		if got, err := askAt(t, n.udp[0].LocalAddr(), "udp", "master.universe."); err != nil || fmt.Sprint(got) != "[10.0.0.2]" {
			t.Errorf("in the next life: got %v, %v", got, err)
		}
	})
}

func TestAgentNames_doWithoutWhatCannotBeHad(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "state", "names.json")
	if err := writeFile(file, []byte(`{"index":"?"}`)); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	cfg := agentConfig{Master: "https://127.0.0.1:1", Dir: dir, DNS: dnsConfig{Listen: taken.LocalAddr().String()}, VirtualAddresses: vipConfig{Off: true}}
	n, _, err := agentNames(t.Context(), cfg, http.DefaultClient, slog.New(slog.NewTextHandler(&told, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if len(n.udp) != 0 || len(n.resolvers) != 0 || !strings.Contains(told.String(), taken.LocalAddr().String()) || !strings.Contains(told.String(), "names.json") {
		t.Errorf("listens on %v; told: %s", n.udp, told.String())
	}
	if o := cfg.runner(cfg.daemon(nil), nil, n.resolvers, nil); len(o.Resolvers) != 0 || len(o.Search) != 0 {
		t.Errorf("containers get %v, %v in the place of the machine's", o.Resolvers, o.Search)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runAll(ctx, n.serve, n.proxy) }()
	select {
	case err := <-ended:
		t.Errorf("the agent ends: %v", err)
	default:
	}
	cancel()
	<-ended
}

// TestLocalNames_tellContainers gives the addresses that a resolv.conf can name.
func TestLocalNames_tellContainers(t *testing.T) {
	n := &localNames{log: slog.New(slog.DiscardHandler)}
	for _, at := range []string{"10.0.0.11:53", "10.0.0.11:5353", "0.0.0.0:53", "127.0.0.1:53", "198.18.0.2:53"} {
		n.add(socketAt{at: netip.MustParseAddrPort(at)}, nil)
	}
	if got := fmt.Sprint(n.resolvers); got != "[10.0.0.11 198.18.0.2]" {
		t.Errorf("got %s", got)
	}
	o := agentConfig{}.runner(agentConfig{}.daemon(nil), nil, n.resolvers, nil)
	if len(o.Resolvers) != 2 || fmt.Sprint(o.Search) != "[universe]" {
		t.Errorf("the runner gets %v, %v", o.Resolvers, o.Search)
	}
}

// socketAt is a socket that is somewhere.
type socketAt struct {
	net.PacketConn
	at netip.AddrPort
}

func (s socketAt) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.at) }

func TestDNSConfig_whereItListens(t *testing.T) {
	for _, c := range []struct{ listen, host, want string }{
		{"", "10.0.0.11", "10.0.0.11:53"}, {"", "fd00::1", "[fd00::1]:53"}, {"off", "10.0.0.11", ""},
		{"10.0.0.12:53", "10.0.0.11", "10.0.0.12:53"}, {"", "", ""},
	} {
		if got := (dnsConfig{Listen: c.listen}).listen(c.host); got != c.want {
			t.Errorf("%q at %q: got %q, want %q", c.listen, c.host, got, c.want)
		}
	}
	up, err := dnsConfig{Upstreams: []string{"10.0.0.1", "10.0.0.2:5353", "fd00::2"}}.upstreams()
	if err != nil || fmt.Sprint(up()) != "[10.0.0.1:53 10.0.0.2:5353 [fd00::2]:53]" {
		t.Errorf("upstreams: %v", err)
	}
}

func TestMasterConfig_namesItself(t *testing.T) {
	for _, c := range []struct {
		cfg  masterConfig
		want string
	}{
		{masterConfig{Agents: "10.0.0.1:5051", Registry: "10.0.0.2:5000"}, "[10.0.0.1]"},
		{masterConfig{Agents: "0.0.0.0:5051", Registry: "10.0.0.2:5000"}, "[10.0.0.2]"},
		{masterConfig{Agents: ":5051", Registry: "registry.test:5000"}, "[]"},
	} {
		if got, err := c.cfg.discovery(); err != nil || fmt.Sprint(got.Master) != c.want || got.Range != discovery.DefaultRange {
			t.Errorf("%+v: got %+v, %v", c.cfg, got, err)
		}
	}
	for _, bad := range []string{"198.18.0.0", "198.18.0.1/15", "198.18.0.0/24", "fd00::/16"} {
		if _, err := (masterConfig{VirtualAddresses: vipRange{Range: bad}}).discovery(); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestAgentConfig_refusesWrongNames(t *testing.T) {
	if _, err := readAgent(t, minimal+"dns: {listen: \"10.0.0.11:53\", upstreams: [10.0.0.1]}\nvirtual_addresses: {range: 100.64.0.0/10}\n"); err != nil {
		t.Error(err)
	}
	for text, setting := range map[string]string{
		"dns: {listen: somewhere}":                                               "dns.listen",
		"dns: {upstreams: [one.one]}":                                            "dns.upstreams",
		"dns: {upstreams: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4]}":             "dns.upstreams",
		"virtual_addresses: {range: 10.0.0.0/30}":                                "virtual_addresses.range",
		"virtual_addresses: {range: 10.0.0.0/8}\nnetwork: {subnet: 10.9.0.0/16}": "virtual_addresses.range",
	} {
		_, err := readAgent(t, minimal+text+"\n")
		if err == nil || !strings.Contains(explain(err), setting+": ") {
			t.Errorf("%s: got %v, want a fault of %s", text, err, setting)
		}
	}
}

func TestDoctor_nameserver(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := netip.MustParseAddrPort(taken.LocalAddr().String()).Port()
	here, there := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	if f := checkNameserver([]netip.Addr{here}, port); f.OK || !f.Optional || !strings.Contains(f.Seen, "taken at 127.0.0.1") || f.Mend == "" {
		t.Errorf("a port that is taken: %+v", f)
	}
	if f := checkNameserver([]netip.Addr{here, there}, port); !f.OK || !strings.Contains(f.Seen, "free at 127.0.0.2") {
		t.Errorf("a port that is taken at one address: %+v", f)
	}
	if f := checkNameserver([]netip.Addr{there}, port); !f.OK {
		t.Errorf("a free port: %+v", f)
	}
}
