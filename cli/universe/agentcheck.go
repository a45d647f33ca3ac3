package main

import (
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/agent"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/master/pki"
)

const (
	// mebi is the unit of sizes in configurations, in bytes.
	mebi = 1 << 20
	// maxMebi bounds a size, in MiB: beyond any machine, and no product overflows.
	maxMebi = 1 << 30
	// maxCPUs bounds the CPUs of an agent.
	maxCPUs = 1 << 20
	// The prefix of a network's subnet: enough addresses for tasks, and not
	// those of half the world.
	minSubnetBits, maxSubnetBits = 8, 29
)

// faults collects what is wrong with a configuration: each with its setting and
// the way out.
type faults []problem.Detail

func (f *faults) add(setting, format string, args ...any) {
	*f = append(*f, problem.Detail{Pointer: setting, Message: fmt.Sprintf(format, args...)})
}

// dir refuses what is not a clean absolute path.
func (f *faults) dir(setting, path string) bool {
	if path == "" {
		f.add(setting, "it is missing: name a path, from / on")
		return false
	}
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		f.add(setting, "%q is not a clean absolute path: write it from / on, without .. and a / at its end", path)
		return false
	}
	return true
}

// err is all of f as one error.
func (f faults) err() error {
	texts := make([]string, len(f))
	for i, d := range f {
		texts[i] = d.Pointer + ": " + d.Message
	}
	return problem.New(problem.Invalid, "%s", strings.Join(texts, "; "))
}

// check finds what is wrong with the file of an agent.
func (c *agentConfig) check() faults {
	var f faults
	if !pki.ValidAgentID(c.ID) {
		f.add("id", "%.63q is not 1 to 63 of a-z, 0-9 and -", c.ID)
	}
	if c.Host == "" {
		f.add("host", "it is missing: name the address at which the tasks of this machine are reached")
	}
	if u, err := url.Parse(c.Master); err != nil || u.Scheme != "https" || u.Host == "" {
		f.add("master", "%q is not https://host:port, the master's address for agents", c.Master)
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		f.add("listen", "%q is not host:port, at which the master reaches this agent", c.Listen)
	}
	for _, d := range []struct{ setting, path string }{{"dir", c.Dir}, {"run", c.Run}, {"bundle", c.Bundle}} {
		f.dir(d.setting, d.path)
	}
	_, _, wrong := c.node()
	f = append(f, wrong...)
	c.checkHost(&f)
	c.checkFetch(&f)
	c.Network.check(&f)
	c.DNS.check(&f)
	c.VirtualAddresses.check(&f, c.Network)
	c.Images.check(&f)
	return f
}

// node is what the agent tells of its machine, and its GPU devices.
func (c *agentConfig) node() (cluster.Agent, []string, faults) {
	total, f := c.Resources.parse("resources")
	switch {
	case len(f) > 0:
	case total.CPU <= 0:
		f.add("resources.cpus", "a number of CPUs above 0 is needed")
	case total.Mem <= 0:
		f.add("resources.mem", "an amount of MiB above 0 is needed")
	}
	gpus := c.GPUDevices
	if len(gpus) == 0 {
		gpus = machineGPUs()
	}
	for i, d := range c.GPUDevices {
		if _, err := os.Stat(d); err != nil {
			f.add(fmt.Sprintf("gpu_devices[%d]", i), "%v: name a device below /dev, or load its driver", err)
		}
	}
	if total.GPUs > int64(len(gpus)) {
		f.add("resources.gpus", "%d, and there are %d devices: lower it, or name the devices in gpu_devices", total.GPUs, len(gpus))
	}
	node := cluster.Agent{ID: cluster.AgentID(c.ID), Hostname: c.hostname(), Host: c.Host, Total: total, Attributes: c.Attributes}
	if c.Domain != (domainConfig{}) {
		node.Domain = &cluster.Domain{Region: c.Domain.Region, Zone: c.Domain.Zone}
	}
	for _, role := range slices.Sorted(maps.Keys(c.Reserved)) {
		place := "reserved." + role
		if !cluster.ValidRole(cluster.Role(role)) || role == string(cluster.DefaultRole) {
			f.add(place, "this is not a role that something can be kept for: name one such as web or eng/web")
			continue
		}
		part, wrong := c.Reserved[role].parse(place)
		f = append(f, wrong...)
		node.Reserved = node.Reserved.Plus(cluster.NewReserves(cluster.Reserved{
			Stack: cluster.Stack{{Role: cluster.Role(role), Static: true}}, Resources: part}))
	}
	if len(f) > 0 {
		return node, gpus, f
	}
	// The master will refuse what Validate does. Each part alone, to know the setting.
	for _, part := range []struct {
		setting string
		of      cluster.Agent
	}{
		{"host", cluster.Agent{Hostname: node.Hostname, Host: node.Host}},
		{"resources", cluster.Agent{Total: node.Total}},
		{"reserved", cluster.Agent{Total: node.Total, Reserved: node.Reserved}},
		{"attributes", cluster.Agent{Attributes: node.Attributes}},
		{"domain", cluster.Agent{Domain: node.Domain}},
	} {
		if err := part.of.Validate(); err != nil {
			f.add(part.setting, "%s", strings.TrimPrefix(err.Error(), part.setting+": "))
		}
	}
	return node, gpus, f
}

// machineGPUs are the GPU devices of NVIDIA's driver.
func machineGPUs() []string {
	all, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is constant and legal
	return all
}

// checkHost looks at what tasks may use of the machine.
func (c *agentConfig) checkHost(f *faults) {
	if c.RegistryAuth != "" && f.dir("registry_auth", c.RegistryAuth) {
		if info, err := os.Stat(c.RegistryAuth); err != nil {
			f.add("registry_auth", "%v: name a config.json as docker login writes it, or leave it out", err)
		} else if !info.Mode().IsRegular() {
			f.add("registry_auth", "%s is no file: name a config.json as docker login writes it", c.RegistryAuth)
		}
	}
	for i, h := range c.HostPaths {
		setting := fmt.Sprintf("host_paths[%d].path", i)
		if f.dir(setting, h.Path) && h.Writable && (overlap(h.Path, c.Dir) || overlap(h.Path, c.Run)) {
			f.add(setting, "%s is writable and overlaps the agent's own dir or run, with which a task could become root: name a narrower path", h.Path)
		}
	}
}

// overlap reports whether one of two clean paths is the other, or below it.
func overlap(a, b string) bool {
	below := func(root, path string) bool {
		rel, err := filepath.Rel(root, path)
		return err == nil && filepath.IsLocal(rel)
	}
	return below(a, b) || below(b, a)
}

func (c *agentConfig) checkFetch(f *faults) {
	for i, root := range c.Fetch.FileRoots {
		setting := fmt.Sprintf("fetch.file_roots[%d]", i)
		if f.dir(setting, root) && overlap("/tmp", root) {
			f.add(setting, "%s is or holds /tmp, or is below it, which a fetch has of its own: name another directory", root)
		}
	}
	if c.Fetch.MaxSize < 0 || c.Fetch.MaxSize > maxMebi {
		f.add("fetch.max_size", "%d is not an amount of MiB: leave it out for the default", c.Fetch.MaxSize)
	}
	if c.Fetch.Timeout < 0 {
		f.add("fetch.timeout", "%s is negative: write a time such as 30m", c.Fetch.Timeout)
	}
}

func (n networkConfig) check(f *faults) {
	if n.Subnet != "" {
		p, err := netip.ParsePrefix(n.Subnet)
		switch {
		case err != nil || !p.Addr().Is4() || p.Masked() != p:
			f.add("network.subnet", "%q is not an IPv4 subnet: write one such as 10.212.0.0/16", n.Subnet)
		case p.Bits() < minSubnetBits || p.Bits() > maxSubnetBits:
			f.add("network.subnet", "%s: its prefix is not /%d to /%d", p, minSubnetBits, maxSubnetBits)
		}
	}
	if n.CNIConfDir != "" && f.dir("network.cni_conf_dir", n.CNIConfDir) {
		if info, err := os.Stat(n.CNIConfDir); err != nil || !info.IsDir() {
			f.add("network.cni_conf_dir", "%s is no directory: make it, or leave it out", n.CNIConfDir)
		}
	}
}

// complete fills in the defaults.
func (i imagesConfig) complete() imagesConfig {
	if i.PruneAbove == 0 {
		i.PruneAbove = agent.DefaultImagesHigh
	}
	if i.PruneTo == 0 {
		i.PruneTo = min(agent.DefaultImagesLow, i.PruneAbove)
	}
	return i
}

func (i imagesConfig) check(f *faults) {
	i = i.complete()
	if i.PruneAbove < 1 || i.PruneAbove > 100 {
		f.add("images.prune_above", "%d is not a percentage: write 1 to 100", i.PruneAbove)
	} else if i.PruneTo < 1 || i.PruneTo > i.PruneAbove {
		f.add("images.prune_to", "%d is not 1 to %d, which is prune_above", i.PruneTo, i.PruneAbove)
	}
}

// parse turns resources into the runtime's integers; place is their setting.
func (r agentResources) parse(place string) (cluster.Resources, faults) {
	var f faults
	out := cluster.Resources{GPUs: r.GPUs}
	if !(r.CPUs >= 0 && r.CPUs <= maxCPUs) { // NaN compares as false
		f.add(place+".cpus", "%v is not a number of CPUs from 0 to %d", r.CPUs, maxCPUs)
	} else {
		out.CPU = int64(math.Round(r.CPUs * 1000))
	}
	for _, m := range []struct {
		name string
		mib  int64
		to   *int64
	}{{"mem", r.Mem, &out.Mem}, {"disk", r.Disk, &out.Disk}} {
		if m.mib < 0 || m.mib > maxMebi {
			f.add(place+"."+m.name, "%d is not an amount of MiB from 0 to %d", m.mib, maxMebi)
			continue
		}
		*m.to = m.mib * mebi
	}
	if r.GPUs < 0 {
		f.add(place+".gpus", "%d is not a number of devices", r.GPUs)
	}
	var err error
	if out.Ports, err = parsePorts(r.Ports); err != nil {
		f.add(place+".ports", "%v: write a list such as 31000-32000,8080", err)
	}
	named, reserved, err := cluster.ParseResources(r.Named)
	common := named
	common.Extra = nil
	switch {
	case err != nil:
		f.add(place+".named", "%v: write such as bandwidth:1000;lanes:[1-4];licences:{a,b}", err)
	case !common.IsZero() || len(reserved) > 0:
		f.add(place+".named", "%q: common resources have settings of their own, and roles stand under reserved", r.Named)
	default:
		out.Extra = named.Extra
	}
	return out, f
}

// parsePorts reads "31000-32000,8080".
func parsePorts(s string) (cluster.Ports, error) {
	var rs []cluster.PortRange
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		l, err1 := strconv.ParseUint(lo, 10, 16)
		h, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil || l == 0 || l > h {
			return nil, fmt.Errorf("%q is no range of ports", part)
		}
		rs = append(rs, cluster.PortRange{Lo: uint16(l), Hi: uint16(h)})
	}
	return cluster.NewPorts(rs...), nil
}
