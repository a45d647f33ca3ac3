package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

// publish is the default network with one published port.
func publish(host, container uint16) cluster.Network {
	return cluster.Network{Name: cluster.DefaultNetwork, Ports: []cluster.PortMapping{{Host: host, Container: container}}}
}

// netLeft names what a Runner's networks have on this machine: namespaces,
// interfaces, rules, leases, records.
func netLeft(t testing.TB, r *Runner) []string {
	t.Helper()
	var out []string
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if name := l.Attrs().Name; name == r.networks.bridge || strings.HasPrefix(name, "veth") {
			out = append(out, "interface "+name)
		}
	}
	rules, err := exec.Command("nft", "list", "ruleset").Output()
	if err != nil {
		t.Fatalf("nft: %v", err)
	}
	for line := range strings.Lines(string(rules)) {
		if strings.Contains(line, "uni-") { // every rule of an attachment has its id
			out = append(out, "rule "+strings.TrimSpace(line))
		}
	}
	mounts, err := mountsBelow(r.networks.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		out = append(out, "namespace "+m)
	}
	err = filepath.WalkDir(r.networks.dir, func(path string, e fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if err == nil && !e.IsDir() && name != "lock" && !strings.HasPrefix(name, "last_reserved_ip") {
			out = append(out, "file "+path)
		}
		return nil // what vanishes is not left
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantNothingLeft(t testing.TB, r *Runner) {
	t.Helper()
	if left := netLeft(t, r); len(left) != 0 {
		t.Errorf("left behind by the networks: %q", left)
	}
}

// inNamespace runs f on a thread that is in another network namespace.
func inNamespace(t testing.TB, path string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		goruntime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := os.Open(path)
		if err == nil {
			defer ns.Close()
			if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err == nil {
				err = f()
			}
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// neighbour makes another machine: a namespace with a wire to ours, 198.51.100.2
// at its end and .1 at ours, and no route to anything else.
func neighbour(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "netns")
	if err := makeNamespace(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeNamespace(path); err != nil {
			t.Error(err)
		}
	})
	wire := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wire0"}, PeerName: "wire1"}
	if err := netlink.LinkAdd(wire); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // at once; with the namespace it would go some time later
		if err := netlink.LinkDel(wire); err != nil {
			t.Error(err)
		}
	})
	far, err := netlink.LinkByName("wire1")
	if err != nil {
		t.Fatal(err)
	}
	ns, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if err := netlink.LinkSetNsFd(far, int(ns.Fd())); err != nil {
		t.Fatal(err)
	}
	up := func(name, address string) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		return errors.Join(netlink.AddrAdd(l, a), netlink.LinkSetUp(l))
	}
	if err := up("wire0", "198.51.100.1/24"); err != nil {
		t.Fatal(err)
	}
	inNamespace(t, path, func() error { return up("wire1", "198.51.100.2/24") })
	return path
}

func TestNetwork_outsideAndBack(t *testing.T) {
	needNetwork(t)
	h := harness(t)
	r := open(t)
	other := neighbour(t)
	var l net.Listener
	inNamespace(t, other, func() (err error) {
		l, err = net.Listen("tcp", "198.51.100.2:0")
		return err
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "seen as %s", c.RemoteAddr())
			c.Close()
		}
	})
	a := runnertest.Attach(t, r, "outside", cluster.PortMapping{Host: 31811, Container: 80})
	start := func(args ...string) runner.Spec {
		spec := h.Spec(t, args...)
		spec.Network = a.Namespace
		runnertest.Start(t, r, spec)
		return spec
	}
	// Port 80 of the namespace is free for users other than root.
	runnertest.AwaitLog(t, start("serve", "80", "inside"), "ready")
	runnertest.AwaitLog(t, start("fetch", l.Addr().String()), "seen as 198.51.100.1:")
	// Its own published port, at the machine's address, and as another machine sees it.
	runnertest.AwaitLog(t, start("fetch", "198.51.100.1:31811"), "inside to ")
	inNamespace(t, other, func() error {
		c, err := net.DialTimeout("tcp", "198.51.100.1:31811", runnertest.Patience)
		if err != nil {
			return err
		}
		defer c.Close()
		b := make([]byte, 64)
		n, err := c.Read(b)
		if got := string(b[:n]); !strings.HasPrefix(got, "inside to 198.51.100.2:") {
			return fmt.Errorf("published port from another machine: got %q, %v, want the caller's own address kept", got, err)
		}
		return nil
	})
	hosts := fmt.Sprintf("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n%s node-1\n", a.Address)
	runnertest.AwaitLog(t, start("read", "/etc/hosts"), hosts)
}

func TestNetwork_looksLikeItsOwn(t *testing.T) {
	needNetwork(t)
	h := harness(t)
	r := open(t)
	a := runnertest.Attach(t, r, "look")
	spec := h.Spec(t, "look")
	spec.Network = a.Namespace
	out, _ := run(t, r, spec)
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "net=net:[") || strings.Contains(out, "net="+ours+"\n") {
		t.Errorf("namespace of a task with a network: got %q, want another one than %s", out, ours)
	}
}

// TestNetwork_halves undoes attachments of which a part is missing.
func TestNetwork_halves(t *testing.T) {
	needNetwork(t)
	r := open(t)
	ctx := runnertest.Context(t)
	for name, spoil := range map[string]func(n *networks, group string) error{
		"the machine was started again": func(n *networks, group string) error { return removeNamespace(n.namespace(group)) },
		"connected, and not written down": func(n *networks, group string) error {
			rec, err := n.load(group)
			rec.Address = ""
			return errors.Join(err, n.save(rec))
		},
		"claimed only": func(n *networks, group string) error {
			rec, err := n.load(group)
			rec.Address = ""
			return errors.Join(err, n.del(ctx, rec), removeNamespace(n.namespace(group)), n.save(rec))
		},
		"no record": func(n *networks, group string) error {
			rec, err := n.load(group)
			return errors.Join(err, n.del(ctx, rec), os.Remove(filepath.Join(n.home(group), attachmentFile)))
		},
		"a record that was being written": func(n *networks, group string) error {
			return os.WriteFile(filepath.Join(n.home(group), attachmentFile+".new"), []byte("{"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, again := range []bool{false, true} {
				if _, err := r.Attach(ctx, "half", publish(31812, 80)); err != nil {
					t.Fatal(err)
				}
				if err := spoil(r.networks, "half"); err != nil {
					t.Fatal(err)
				}
				all, err := r.Attachments(ctx)
				if err != nil || len(all) != 1 || all[0].Group != "half" {
					t.Errorf("Attachments: got %+v, %v, want the half one", all, err)
				}
				if again {
					a, err := r.Attach(ctx, "half", publish(31812, 80))
					if err != nil || a.Address == "" || !isNamespace(a.Namespace) {
						t.Errorf("Attach over a half: got %+v, %v", a, err)
					}
				}
				for range 2 {
					if err := r.Detach(ctx, "half"); err != nil {
						t.Errorf("Detach: %v", err)
					}
				}
				wantNothingLeft(t, r)
			}
		})
	}
}

func TestNetwork_failedAttachLeavesNothing(t *testing.T) {
	needNetwork(t)
	full := open(t, func(o *Options) { o.Subnet = "10.213.0.0/29" }) // room for five
	ctx := runnertest.Context(t)
	var err error
	made := 0
	for ; err == nil && made < 10; made++ {
		_, err = full.Attach(ctx, fmt.Sprintf("full-%d", made), cluster.Network{Name: cluster.DefaultNetwork})
	}
	if err == nil || !strings.Contains(err.Error(), "no IP addresses available") {
		t.Errorf("Attach in a full subnet: got %v after %d, want what the plugin said", err, made)
	}
	if all, err := full.Attachments(ctx); err != nil || len(all) != made-1 {
		t.Errorf("Attachments: got %d, %v, want %d", len(all), err, made-1)
	}
	for i := range made {
		if err := full.Detach(ctx, fmt.Sprintf("full-%d", i)); err != nil {
			t.Error(err)
		}
	}
	wantNothingLeft(t, full)

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	r := open(t)
	if _, err := r.Attach(canceled, "canceled", publish(31813, 80)); err == nil {
		t.Error("Attach with a canceled context: got no error")
	}
	wantNothingLeft(t, r)
}

func TestNetwork_waitsForAPort(t *testing.T) {
	needNetwork(t)
	r := open(t)
	ctx := runnertest.Context(t)
	runnertest.Attach(t, r, "old", cluster.PortMapping{Host: 31814, Container: 80})
	short, cancel := context.WithTimeout(ctx, 3*pollEvery)
	defer cancel()
	if _, err := r.Attach(short, "new", publish(31814, 80)); err == nil || !strings.Contains(err.Error(), "still published for old") {
		t.Errorf("Attach with a port of another group: got %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := r.Attach(ctx, "new", publish(31814, 80))
		done <- err
	}()
	if err := r.Detach(ctx, "old"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Attach after the port's release: %v", err)
	}
	if err := r.Detach(ctx, "new"); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t, r)
}

func TestNetwork_ofTheConfiguration(t *testing.T) {
	needNetwork(t)
	dir := t.TempDir()
	lan := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"lan","plugins":[{"type":"bridge","bridge":"lan0","isGateway":true,
		"ipam":{"type":"host-local","dataDir":%q,"ranges":[[{"subnet":"10.214.1.0/24"}]]}}]}`, filepath.Join(dir, "leases"))
	for name, text := range map[string]string{
		"10-lan.conflist": lan, "20-other.conflist": strings.ReplaceAll(lan, "10.214.1", "10.214.2"), "notes.txt": "not a network",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, func(o *Options) { o.CNIConfDir = dir })
	ctx := runnertest.Context(t)
	a, err := r.Attach(ctx, "lan", cluster.Network{Name: "lan"})
	if err != nil || !strings.HasPrefix(a.Address, "10.214.1.") {
		t.Errorf("Attach to a network of the directory: got %+v, %v", a, err)
	}
	if _, err := r.Attach(ctx, "ports", cluster.Network{Name: "lan", Ports: publish(31815, 80).Ports}); !errors.Is(err, runner.ErrSpec) {
		t.Errorf("published ports without a plugin for it: got %v, want it refused", err)
	}
	// What is attached is detached by what it was attached with.
	if err := os.Remove(filepath.Join(dir, "10-lan.conflist")); err != nil {
		t.Fatal(err)
	}
	if err := r.Detach(ctx, "lan"); err != nil {
		t.Error(err)
	}
	link, err := netlink.LinkByName("lan0") // the configuration's own, not ours to remove
	if err != nil || netlink.LinkDel(link) != nil {
		t.Errorf("bridge of the configuration: %v", err)
	}
	wantNothingLeft(t, r)
	if err := os.WriteFile(filepath.Join(dir, "05-broken.conflist"), []byte(`{"name":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Attach(ctx, "lan", cluster.Network{Name: "lan"}); err == nil || !strings.Contains(err.Error(), "05-broken") {
		t.Errorf("broken configuration: got %v, want it named", err)
	}
}

func TestNetwork_refusesAForeignSubnet(t *testing.T) {
	needNetwork(t)
	neighbour(t)
	r := open(t, func(o *Options) { o.Subnet = "198.51.0.0/16" })
	_, err := r.Attach(runnertest.Context(t), "foreign", cluster.Network{Name: cluster.DefaultNetwork})
	if !errors.Is(err, runner.ErrSpec) || !strings.Contains(err.Error(), "wire0") {
		t.Errorf("subnet of an interface: got %v, want it refused", err)
	}
	for _, bad := range []string{"10.0.0.1/16", "10.0.0.0/30", "fd00::/64", "x"} {
		o := Options{Subnet: bad}
		if _, err := newNetworks(o); err == nil {
			t.Errorf("subnet %q: got no error", bad)
		}
	}
}

// TestLeaks_twentyNetworks runs tasks in networks of their own, several at
// once, and looks for what is left.
func TestLeaks_twentyNetworks(t *testing.T) {
	const groups, width = 20, 5
	needNetwork(t)
	h := harness(t)
	d := newDaemon(t)
	r := runnerOn(t, d, testNamespace)
	ctx := runnertest.Context(t)
	if err := r.Prepare(ctx, h.Spec(t, "run"), nil); err != nil {
		t.Fatal(err)
	}
	life := func(i int) error {
		group := fmt.Sprintf("leak-%d", i)
		a, err := r.Attach(ctx, group, publish(uint16(31820+i), 80))
		if err != nil {
			return err
		}
		spec := h.Spec(t, "run")
		spec.Network = a.Namespace
		return errors.Join(r.Start(ctx, spec), r.Remove(ctx, spec.Task.ID), r.Detach(ctx, group))
	}
	seen := runnertest.Attach(t, r, "seen", cluster.PortMapping{Host: 31819, Container: 80})
	// Bridge, veth, two rules of the port, two of hairpin, one of masquerade,
	// namespace, lease, result, record, the namespace's file.
	if found := netLeft(t, r); len(found) != 12 {
		t.Errorf("of one attachment: got %d things, want 12: %q", len(found), found)
	}
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			for i := range numbers {
				if err := life(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range groups {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	if err := r.Detach(ctx, seen.Group); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t, r)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for found := left(t, d); len(found) > 0; found = left(t, d) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("left behind by %d tasks: %q", groups, found)
		}
	}
}

// TestStop_removesNetworks ends a daemon whose groups are still attached.
func TestStop_removesNetworks(t *testing.T) {
	needNetwork(t)
	d := newDaemon(t)
	r := runnerOn(t, d, testNamespace)
	if _, err := r.Attach(runnertest.Context(t), "stopped", publish(31816, 80)); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(runnertest.Context(t)); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t, r)
}

func TestResolvConf(t *testing.T) {
	text := "search x.test\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 10.0.0.2\noptions edns0\n"
	got, dropped := withoutLoopback(text)
	if want := "search x.test\nnameserver 10.0.0.2\noptions edns0\n"; got != want || !dropped {
		t.Errorf("name servers on loopback: got %q, %t, want %q", got, dropped, want)
	}
}

func TestResolvConf_namesOurServersAlone(t *testing.T) {
	machine := "domain old.test\nnameserver 10.0.0.2\nsearch x.test universe y.test\noptions edns0"
	host, room := netip.MustParseAddr("10.0.0.11"), netip.MustParseAddr("198.18.0.2")
	for _, c := range []struct {
		resolvers []netip.Addr
		search    []string
		want      string
	}{
		{[]netip.Addr{host, room}, []string{"universe"}, "nameserver 10.0.0.11\nnameserver 198.18.0.2\nsearch universe x.test y.test\noptions edns0\n"},
		{[]netip.Addr{host, room, host, room}, nil, "nameserver 10.0.0.11\nnameserver 198.18.0.2\nnameserver 10.0.0.11\nsearch x.test universe y.test\noptions edns0\n"},
		{nil, []string{"a", "b", "c", "d", "e"}, "search a b c d e x.test\nnameserver 10.0.0.2\noptions edns0\n"},
	} {
		if got := withResolvers(machine, c.resolvers, c.search); got != c.want {
			t.Errorf("%v, %v: got %q, want %q", c.resolvers, c.search, got, c.want)
		}
	}
	if got := withResolvers("", []netip.Addr{host}, []string{"universe"}); got != "nameserver 10.0.0.11\nsearch universe\n" {
		t.Errorf("a machine without a resolv.conf: %q", got)
	}
	off := Options{}
	got, err := off.resolvConf(true)
	plain, perr := machineResolvConf(true)
	if err != nil || perr != nil || got != plain {
		t.Errorf("without servers of ours: got %q, %v, want the machine's %q, %v", got, err, plain, perr)
	}
}
