package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/universe/devnet"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// minFreeDisk is what a development cluster needs for images and logs, in bytes.
const minFreeDisk = 3 << 30

// finding is the outcome of one check of the machine.
type finding struct {
	Name     string // what was looked at
	OK       bool
	Optional bool   // a node runs without it, and does less
	Seen     string // what was found
	Mend     string // what to do where it is not OK
}

// examine checks what a node needs of the machine. Dir is where its state is
// to live, bundle where containerd and its tools are.
func examine(dir, bundle string) []finding {
	return []finding{checkRoot(), checkOverlay(), checkCgroups(), checkNetwork(), checkBundle(bundle), checkDisk(dir),
		checkOutput(bundle), checkPlugins(bundle), checkFirewall(os.Getenv("PATH")), checkForwarding(forwardingFile),
		checkNameserver(machineHosts(), dnsPort)}
}

func checkRoot() finding {
	f := finding{Name: "root", OK: os.Geteuid() == 0, Seen: fmt.Sprintf("user id %d", os.Geteuid()),
		Mend: "run it as root: network namespaces, mounts and cgroups are root's to make"}
	return f
}

func checkOverlay() finding {
	f := finding{Name: "overlayfs", Seen: "in the kernel", Mend: "load the module: modprobe overlay"}
	data, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		f.Seen = err.Error()
		return f
	}
	if f.OK = strings.Contains(string(data), "\toverlay\n"); !f.OK {
		f.Seen = "not in /proc/filesystems"
	}
	return f
}

// checkCgroups looks for the controllers that limits need, in version 2 or 1.
func checkCgroups() finding {
	f := finding{Name: "cgroups", Mend: "boot with the cpu, memory and pids controllers (systemd.unified_cgroup_hierarchy=1), or mount them at /sys/fs/cgroup"}
	have := map[string]bool{}
	version := "v2"
	if data, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		for _, c := range strings.Fields(string(data)) {
			have[c] = true
		}
	} else {
		version = "v1"
		file, err := os.Open("/proc/self/mountinfo")
		if err != nil {
			f.Seen = err.Error()
			return f
		}
		defer file.Close()
		for sc := bufio.NewScanner(file); sc.Scan(); {
			if _, opts, ok := strings.Cut(sc.Text(), " - cgroup "); ok {
				for _, c := range strings.FieldsFunc(opts, func(r rune) bool { return r == ',' || r == ' ' }) {
					have[c] = true
				}
			}
		}
	}
	var missing []string
	for _, c := range []string{"cpu", "memory", "pids"} {
		if !have[c] {
			missing = append(missing, c)
		}
	}
	f.OK, f.Seen = len(missing) == 0, version+" with cpu, memory, pids"
	if !f.OK {
		f.Seen = version + " without " + strings.Join(missing, ", ")
	}
	return f
}

// checkNetwork makes a small network and takes it away again: nothing less
// tells whether the kernel and our rights allow it.
func checkNetwork() finding {
	f := finding{Name: "network", OK: true, Seen: "bridge, veth and namespaces can be made",
		Mend: "give CAP_NET_ADMIN and CAP_SYS_ADMIN, and a kernel with bridge, veth and network namespaces"}
	if os.Geteuid() != 0 {
		f.OK, f.Seen = false, "not tried: needs root"
		return f
	}
	n, err := devnet.Pick(fmt.Sprintf("d%d", os.Getpid()%100000))
	if err == nil {
		if err = n.Create(1); err == nil {
			err = n.Remove()
		}
	}
	if err != nil {
		f.OK, f.Seen = false, err.Error()
	}
	return f
}

func checkBundle(dir string) finding {
	f := finding{Name: "containerd", OK: true, Seen: dir, Mend: "build them: make bundle; or name their directory with --bundle"}
	if lacks := lacking(dir, "containerd", "containerd-shim-runc-v2", "runc"); len(lacks) > 0 {
		f.OK, f.Seen = false, fmt.Sprintf("%s lacks %s", dir, strings.Join(lacks, ", "))
	}
	return f
}

// lacking gives the programs that are not in dir.
func lacking(dir string, names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return isProgram(filepath.Join(dir, name)) })
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// checkOutput looks for the logger that writes what tasks print.
func checkOutput(bundle string) finding {
	f := finding{Name: "task output", OK: true, Optional: true, Seen: "universe-output is there", Mend: "build it: make bundle"}
	if len(lacking(bundle, "universe-output")) > 0 {
		f.OK, f.Seen = false, "no universe-output: tasks hang when the disk is full"
	}
	return f
}

// noBridge is what a machine cannot do without the CNI plugins or a firewall.
const noBridge = "tasks cannot have a network of their own (bridge)"

func checkPlugins(bundle string) finding {
	f := finding{Name: "CNI plugins", OK: true, Optional: true, Seen: "bridge, host-local and portmap are there", Mend: "build them: make bundle"}
	if lacks := lacking(bundle, "bridge", "host-local", "portmap"); len(lacks) > 0 {
		f.OK, f.Seen = false, fmt.Sprintf("no %s: %s", strings.Join(lacks, ", "), noBridge)
	}
	return f
}

// checkFirewall looks for what makes the rules of port mappings.
func checkFirewall(path string) finding {
	f := finding{Name: "firewall", Optional: true, Mend: "install it: apt-get install nftables (dnf install nftables)"}
	for _, name := range []string{"nft", "iptables"} {
		for _, dir := range filepath.SplitList(path) {
			if !f.OK && isProgram(filepath.Join(dir, name)) {
				f.OK, f.Seen = true, filepath.Join(dir, name)
			}
		}
	}
	if !f.OK {
		f.Seen = "neither nft nor iptables: " + noBridge
	}
	return f
}

// forwardingFile says whether the kernel passes packets on.
const forwardingFile = "/proc/sys/net/ipv4/ip_forward"

func checkForwarding(file string) finding {
	f := finding{Name: "forwarding", Optional: true, Mend: "let root write " + file + ", or set it: sysctl -w net.ipv4.ip_forward=1"}
	data, err := os.ReadFile(file)
	if f.OK = err == nil && strings.TrimSpace(string(data)) == "1"; f.OK {
		f.Seen = "on"
		return f
	}
	w, err := os.OpenFile(file, os.O_WRONLY, 0)
	switch {
	case err == nil:
		_ = w.Close() // nothing was written
	case errors.Is(err, os.ErrPermission) && os.Geteuid() != 0:
		// An agent is root.
	default:
		f.Seen = "off, and cannot be turned on: " + noBridge
		return f
	}
	f.OK, f.Seen = true, "off; an agent turns it on with its first bridge"
	return f
}

// machineHosts gives the addresses of this machine that others can reach, IPv4.
func machineHosts() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() && !slices.Contains(out, p.Addr()) {
			out = append(out, p.Addr())
		}
	}
	return out
}

// checkNameserver tries to listen where an agent's name server would: at one of
// the addresses of the machine.
func checkNameserver(hosts []netip.Addr, port uint16) finding {
	f := finding{Name: "name server", OK: true, Optional: true,
		Mend: fmt.Sprintf("see who it is: ss -lntup 'sport = :%d'; stop it, or have it listen on loopback only", port)}
	var free, taken []string
	for _, h := range hosts {
		switch err := canListen(netip.AddrPortFrom(h, port).String()); {
		case err == nil:
			free = append(free, h.String())
		case errors.Is(err, os.ErrPermission):
			f.Seen = "not tried: needs root"
			return f
		default:
			taken = append(taken, h.String())
		}
	}
	switch {
	case len(taken) == 0:
		f.Seen = fmt.Sprintf("port %d is free", port)
	case len(free) > 0:
		f.Seen = fmt.Sprintf("port %d is free at %s, and taken at %s", port, strings.Join(free, ", "), strings.Join(taken, ", "))
	default:
		f.OK, f.Seen = false, fmt.Sprintf("port %d is taken at %s: an agent runs there already, or tasks find the cluster's names by virtual addresses only", port, strings.Join(taken, ", "))
	}
	return f
}

// canListen tries to listen over UDP and TCP.
func canListen(addr string) error {
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	tcp, err := net.Listen("tcp", addr)
	if err == nil {
		err = tcp.Close()
	}
	return errors.Join(err, udp.Close())
}

func checkDisk(dir string) finding {
	f := finding{Name: "disk", Mend: fmt.Sprintf("free some space, or choose another directory with --dir; images and logs take up to %s", cluster.Bytes(minFreeDisk))}
	at := dir
	for {
		if _, err := os.Stat(at); err == nil {
			break
		}
		parent := filepath.Dir(at)
		if parent == at {
			break
		}
		at = parent
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(at, &st); err != nil {
		f.Seen = fmt.Sprintf("%s: %v", at, err)
		return f
	}
	free := int64(st.Bavail) * st.Bsize
	f.OK, f.Seen = free >= minFreeDisk, fmt.Sprintf("%s free in %s", cluster.Bytes(free), at)
	return f
}

// printFindings writes one line a finding, and the mend below what needs one.
// It gives the number of those that a node cannot do without.
func printFindings(w io.Writer, fs []finding) (bad int) {
	for _, f := range fs {
		mark := "ok  "
		switch {
		case !f.OK && f.Optional:
			mark = "warn"
		case !f.OK:
			mark = "FAIL"
			bad++
		}
		fmt.Fprintf(w, "%s  %-12s %s\n", mark, f.Name, f.Seen)
		if !f.OK {
			fmt.Fprintf(w, "      mend:        %s\n", f.Mend)
		}
	}
	return bad
}

func doctorCommand() *cobra.Command {
	var dir, bundle string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine lacks to be a node, and how to mend it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if bad := printFindings(cmd.OutOrStdout(), examine(dir, bundle)); bad > 0 {
				return problem.New(problem.Invalid, "%d of the checks failed", bad).WithHint("do what the lines above say and run universe doctor again")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", defaultDevDir(), "directory the state is to live in")
	cmd.Flags().StringVar(&bundle, "bundle", defaultBundle(), "directory of containerd, its shim and runc")
	return cmd
}
