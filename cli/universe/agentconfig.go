package main

import (
	"time"
)

// agentConfig is the file of `universe agent`. Sizes are in MiB, as in Mesos.
type agentConfig struct {
	ID         string            `yaml:"id"`
	Hostname   string            `yaml:"hostname"`         // empty: id
	Host       string            `yaml:"host"`             // address at which its tasks are reached
	Master     string            `yaml:"master"`           // https://host:port
	Listen     string            `yaml:"listen"`           // host:port of its own API, for the master
	Dir        string            `yaml:"dir"`              // state: checkpoints, sandboxes, volumes, containerd's root
	Run        string            `yaml:"run"`              // sockets and mounts of the running containerd; short, below /run
	Bundle     string            `yaml:"bundle"`           // directory of containerd, its shim, runc and the CNI plugins
	Cgroup     string            `yaml:"cgroup,omitempty"` // parent of its containers' cgroups, of no other agent's; empty: one named after run
	LogLevel   string            `yaml:"log_level,omitempty"`
	Resources  agentResources    `yaml:"resources"`
	Attributes map[string]string `yaml:"attributes,omitempty"` // what placement rules look at
	Domain     domainConfig      `yaml:"domain,omitempty"`
	// Reserved keeps part of Resources for roles: static reservations, by role.
	Reserved     map[string]agentResources `yaml:"reserved,omitempty"`
	Registries   []string                  `yaml:"registries,omitempty"`    // host:port of registries without TLS
	RegistryAuth string                    `yaml:"registry_auth,omitempty"` // a Docker config.json with credentials of registries
	GPUDevices   []string                  `yaml:"gpu_devices,omitempty"`   // empty: those of NVIDIA's driver
	HostPaths    []hostPath                `yaml:"host_paths,omitempty"`    // what of the machine tasks may mount; none: nothing
	Fetch        fetchConfig               `yaml:"fetch,omitempty"`
	Network      networkConfig             `yaml:"network,omitempty"`
	// DNS is the name server that tasks ask; its Listen is host:53 where it says nothing.
	DNS              dnsConfig    `yaml:"dns,omitempty"`
	VirtualAddresses vipConfig    `yaml:"virtual_addresses,omitempty"`
	Images           imagesConfig `yaml:"images,omitempty"`
	TLS              tlsFiles     `yaml:"tls"`
}

// agentResources is what an agent gives to tasks, or keeps for a role.
type agentResources struct {
	CPUs  float64 `yaml:"cpus,omitempty"`
	Mem   int64   `yaml:"mem,omitempty"`   // MiB
	Disk  int64   `yaml:"disk,omitempty"`  // MiB
	Ports string  `yaml:"ports,omitempty"` // "31000-32000,8080"
	GPUs  int64   `yaml:"gpus,omitempty"`  // whole devices
	// Named is resources with names of their own, as Mesos writes them:
	// "bandwidth:1000;lanes:[1-4];licences:{a,b}".
	Named string `yaml:"named,omitempty"`
}

// domainConfig is the agent's fault domain; both or none.
type domainConfig struct {
	Region string `yaml:"region,omitempty"`
	Zone   string `yaml:"zone,omitempty"`
}

// hostPath is a tree of the machine that tasks may mount parts of.
type hostPath struct {
	Path     string `yaml:"path"`
	Writable bool   `yaml:"writable,omitempty"`
}

// fetchConfig is what tasks may fetch as artifacts.
type fetchConfig struct {
	// FileRoots are directories of the machine that file:// sources may be in; none: no such source.
	FileRoots       []string      `yaml:"file_roots,omitempty"`
	RequireChecksum bool          `yaml:"require_checksum,omitempty"` // refuse what has neither a checksum nor a git commit
	MaxSize         int64         `yaml:"max_size,omitempty"`         // MiB of an artifact unpacked; 0: 8192
	Timeout         time.Duration `yaml:"timeout,omitempty"`          // "30m"; 0: that
}

// networkConfig is the networks that groups of tasks can have of their own.
type networkConfig struct {
	Subnet     string `yaml:"subnet,omitempty"`       // of the network "bridge", IPv4
	CNIConfDir string `yaml:"cni_conf_dir,omitempty"` // directory of more CNI networks; empty: none
}

// imagesConfig is when unused images are removed, in percent of the disk of Dir.
type imagesConfig struct {
	PruneAbove int `yaml:"prune_above,omitempty"` // used: begin; 0: 85
	PruneTo    int `yaml:"prune_to,omitempty"`    // used: enough; 0: 80
}
