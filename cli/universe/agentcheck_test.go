package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/agent/fetch"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/containerd"
)

func TestParsePorts(t *testing.T) {
	got, err := parsePorts(" 31000-31002, 8080,31003 ")
	if want := cluster.NewPorts(cluster.PortRange{Lo: 8080, Hi: 8080}, cluster.PortRange{Lo: 31000, Hi: 31003}); err != nil || got.String() != want.String() {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"0", "5-4", "70000", "a", "1-2-3", "-5"} {
		if _, err := parsePorts(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// minimal is the least that the file of an agent has.
const minimal = `id: a1
host: 10.0.0.11
master: https://10.0.0.1:5051
listen: 10.0.0.11:5052
dir: /var/lib/universe/agent
run: /run/universe/agent
bundle: /usr/local/lib/universe
resources: {cpus: 1.5, mem: 512, disk: 10, ports: 31000-31010, named: "bandwidth:1000;lanes:[1-4]"}
`

// readAgent reads a file with this text.
func readAgent(t *testing.T, text string) (agentConfig, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var cfg agentConfig
	err := readConfig(file, &cfg)
	if err != nil && !strings.Contains(err.Error(), file) {
		t.Errorf("the file is not named: %v", err)
	}
	return cfg, err
}

func TestAgentConfig_isWhatTheAgentTells(t *testing.T) {
	cfg, err := readAgent(t, minimal+`
attributes: {rack: r1}
domain: {region: eu, zone: eu-1}
reserved:
  ops: {mem: 64}
  eng/web: {cpus: 0.5, ports: "31000,31002"}
images: {prune_above: 60}
`)
	if err != nil {
		t.Fatal(err)
	}
	node, _, wrong := cfg.node()
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	kept := func(role cluster.Role, r cluster.Resources) cluster.Reserved {
		return cluster.Reserved{Stack: cluster.Stack{{Role: role, Static: true}}, Resources: r}
	}
	want := cluster.Agent{ID: "a1", Hostname: "a1", Host: "10.0.0.11", Attributes: map[string]string{"rack": "r1"},
		Domain: &cluster.Domain{Region: "eu", Zone: "eu-1"},
		Total: cluster.Resources{CPU: 1500, Mem: 512 << 20, Disk: 10 << 20, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31010}),
			Extra: cluster.NewExtra(cluster.Named{Name: "bandwidth", Milli: 1_000_000}, cluster.Named{Name: "lanes", Ranges: []cluster.Range{{Lo: 1, Hi: 4}}})},
		Reserved: cluster.NewReserves(
			kept("eng/web", cluster.Resources{CPU: 500, Ports: cluster.Port(31000).Union(cluster.Port(31002))}),
			kept("ops", cluster.Resources{Mem: 64 << 20}))}
	if d := cmp.Diff(want, node); d != "" {
		t.Errorf("agent (-want +got):\n%s", d)
	}
	a := cfg.agent(node, nil)
	told := cluster.Agent{ID: a.ID, Hostname: a.Hostname, Host: a.Host, Attributes: a.Attributes, Domain: a.Domain, Total: a.Total, Reserved: a.Reserved}
	if d := cmp.Diff(want, told); d != "" || a.ListenAddr != cfg.Listen || a.MasterURL != cfg.Master || a.ImagesHigh != 60 || a.ImagesLow != 60 {
		t.Errorf("it starts as %+v (-want +got):\n%s", a, d)
	}
}

func TestAgentConfig_reachesTheRunnerAndFetch(t *testing.T) {
	auth := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(auth, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readAgent(t, minimal+`
registry_auth: `+auth+`
registries: [10.0.0.1:5000]
host_paths: [{path: /srv/models}, {path: /srv/shared, writable: true}]
fetch: {file_roots: [/srv/artifacts], require_checksum: true, max_size: 2, timeout: 90s}
network: {subnet: 10.9.0.0/24, cni_conf_dir: `+filepath.Dir(auth)+`}
`)
	if err != nil {
		t.Fatal(err)
	}
	o := cfg.runner(cfg.daemon(nil), []string{"/dev/null"}, nil, nil)
	want := containerd.Options{Auth: auth, PlainHTTP: []string{"10.0.0.1:5000"}, GPUs: []string{"/dev/null"}, Subnet: "10.9.0.0/24", CNIConfDir: filepath.Dir(auth),
		HostPaths: []containerd.HostPath{{Path: "/srv/models"}, {Path: "/srv/shared", Writable: true}}}
	got := containerd.Options{Auth: o.Auth, PlainHTTP: o.PlainHTTP, GPUs: o.GPUs, HostPaths: o.HostPaths, Subnet: o.Subnet, CNIConfDir: o.CNIConfDir}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("runner (-want +got):\n%s", d)
	}
	if d := cmp.Diff(fetch.Options{FileRoots: []string{"/srv/artifacts"}, RequireChecksum: true, MaxBytes: 2 << 20, Timeout: 90 * time.Second}, cfg.Fetch.options()); d != "" {
		t.Errorf("fetch (-want +got):\n%s", d)
	}
	if o := cfg.runner(cfg.daemon(nil), nil, nil, nil); o.GPUs == nil {
		t.Error("a machine without devices leaves it to the runner to look for some")
	}
}

func TestAgentConfig_namesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, setting, says string }{
		{"id: A_1", "id", "a-z"},
		{"host: ''", "host", "missing"},
		{"master: http://10.0.0.1:5051", "master", "https"},
		{"listen: 10.0.0.11", "listen", "host:port"},
		{"dir: state", "dir", "absolute"},
		{"dir: ''", "dir", "missing"},
		{"run: /run/universe/../x", "run", "absolute"},
		{"bundle: /lib/", "bundle", "absolute"},
		{"resources: {mem: 1}", "resources.cpus", "above 0"},
		{"resources: {cpus: 1}", "resources.mem", "above 0"},
		{"resources: {cpus: .nan, mem: 1}", "resources.cpus", "NaN"},
		{"resources: {cpus: -1, mem: 1}", "resources.cpus", "-1"},
		{"resources: {cpus: 1, mem: 1, disk: -1}", "resources.disk", "-1"},
		{"resources: {cpus: 1, mem: 4611686018427387904}", "resources.mem", "MiB"},
		{"resources: {cpus: 1, mem: 1, ports: x}", "resources.ports", "31000-32000"},
		{"resources: {cpus: 1, mem: 1, gpus: 1000}", "resources.gpus", "devices"},
		{"resources: {cpus: 1, mem: 1, gpus: -1}", "resources.gpus", "-1"},
		{"resources: {cpus: 1, mem: 1, named: 'cpus:2'}", "resources.named", "settings of their own"},
		{"resources: {cpus: 1, mem: 1, named: 'x(eng):2'}", "resources.named", "reserved"},
		{"resources: {cpus: 1, mem: 1, named: 'x'}", "resources.named", "colon"},
		{"gpu_devices: [/dev/none]", "gpu_devices[0]", "/dev/none"},
		{"attributes: {'': x}", "attributes", "empty"},
		{"domain: {region: eu}", "domain", "zone"},
		{"reserved: {'*': {cpus: 1}}", "reserved.*", "role"},
		{"reserved: {web: {mem: -1}}", "reserved.web.mem", "-1"},
		{"reserved: {web: {cpus: 2}}", "reserved", "more than the agent has"},
		{"registry_auth: /does/not/exist", "registry_auth", "docker login"},
		{"registry_auth: /dev", "registry_auth", "no file"},
		{"host_paths: [{path: data}]", "host_paths[0].path", "absolute"},
		{"host_paths: [{path: /srv}, {path: /var, writable: true}]", "host_paths[1].path", "overlaps"},
		{"host_paths: [{path: /run/universe/agent/x, writable: true}]", "host_paths[0].path", "overlaps"},
		{"fetch: {file_roots: [srv]}", "fetch.file_roots[0]", "absolute"},
		{"fetch: {file_roots: [/tmp/x]}", "fetch.file_roots[0]", "/tmp"},
		{"fetch: {max_size: -1}", "fetch.max_size", "-1"},
		{"fetch: {timeout: -1s}", "fetch.timeout", "negative"},
		{"network: {subnet: 172.30.0.1/16}", "network.subnet", "such as"},
		{"network: {subnet: 'fd00::/64'}", "network.subnet", "IPv4"},
		{"network: {subnet: 172.30.0.0/30}", "network.subnet", "/29"},
		{"network: {cni_conf_dir: /does/not/exist}", "network.cni_conf_dir", "make it"},
		{"images: {prune_above: 101}", "images.prune_above", "percentage"},
		{"images: {prune_above: 50, prune_to: 60}", "images.prune_to", "1 to 50"},
	} {
		// The same setting again replaces the one of minimal.
		key, _, _ := strings.Cut(c.text, ":")
		var lines []string
		for line := range strings.Lines(minimal) {
			if !strings.HasPrefix(line, key+":") {
				lines = append(lines, line)
			}
		}
		_, err := readAgent(t, strings.Join(lines, "")+c.text+"\n")
		p := problem.Of(err)
		if err == nil || p.Class != problem.Invalid || len(p.Details) != 1 || p.Details[0].Pointer != c.setting ||
			!strings.Contains(p.Details[0].Message, c.says) || p.Hint == "" {
			t.Errorf("%s: got %v %+v, want %s with %q", c.text, err, p, c.setting, c.says)
		}
	}
	_, err := readAgent(t, "id: X\n")
	if n := len(problem.Of(err).Details); n < 5 {
		t.Errorf("an empty file: %d settings are named", n)
	}
	if _, err := readAgent(t, minimal+"host_paths: [{path: /}, {path: /srv, writable: true}]\n"); err != nil {
		t.Errorf("reading all of the machine: %v", err)
	}
}

// TestAgentFile reads the file that join writes, and each example of its comments.
func TestAgentFile(t *testing.T) {
	want, err := readAgent(t, minimal+"attributes: {rack: r1}\n")
	if err != nil {
		t.Fatal(err)
	}
	text, err := agentFile(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAgent(t, string(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("read again (-want +got):\n%s", d)
	}
	for line := range strings.Lines(string(text)) {
		if len(strings.TrimRight(line, "\n")) > 80 && strings.HasPrefix(line, "#") {
			t.Errorf("a comment of more than 80 columns: %s", line)
		}
	}
	for key, about := range agentSettings {
		if key != "domain" && key != "registries" && !strings.Contains(string(text), "# "+about+"\n"+key+":") {
			t.Errorf("%s is not explained", key)
		}
	}
	var examples strings.Builder
	for line := range strings.Lines(agentExamples) {
		if example, is := strings.CutPrefix(line, "#  "); is {
			examples.WriteString(example)
		}
	}
	var all agentConfig
	dec := yaml.NewDecoder(strings.NewReader(examples.String()))
	dec.KnownFields(true)
	if err := dec.Decode(&all); err != nil {
		t.Fatalf("%v in:\n%s", err, examples.String())
	}
	if len(all.Reserved) != 1 || len(all.HostPaths) != 2 || all.Fetch.Timeout != 30*time.Minute || all.Network.Subnet == "" || all.Images.PruneTo == 0 ||
		all.RegistryAuth == "" || len(all.GPUDevices) != 2 || all.Domain.Zone == "" || all.LogLevel == "" {
		t.Errorf("examples: %+v", all)
	}
	// What the examples need of the machine is not here; the rest of them is right.
	all.RegistryAuth, all.Network.CNIConfDir, all.GPUDevices = "", "", nil
	all.ID, all.Host, all.Master, all.Listen, all.Dir, all.Run, all.Bundle, all.Resources = want.ID, want.Host, want.Master, want.Listen, want.Dir, want.Run, want.Bundle,
		agentResources{CPUs: 4, Mem: 4096, Ports: "31000-32000"}
	if wrong := all.check(); len(wrong) > 0 {
		t.Errorf("examples: %v", wrong)
	}
}
