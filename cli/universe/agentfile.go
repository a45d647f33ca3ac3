package main

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// agentSettings explain the settings that `universe agent join` writes, by key.
var agentSettings = map[string]string{
	"id":         "The agent's name in the cluster. Its certificate is for this one.",
	"host":       "The address at which tasks of this machine are reached.",
	"master":     "The master's address for agents.",
	"listen":     "Where the master reaches this agent, for logs and exec.",
	"dir":        "State: checkpoints, sandboxes, volumes, images. Keep it over a restart.",
	"run":        "Sockets and mounts of the running containerd. A short path below /run.",
	"bundle":     "containerd, its shim, runc, universe-output and the CNI plugins.",
	"resources":  "What tasks get. mem and disk are in MiB.",
	"attributes": "What placement rules look at.",
	"domain":     "The fault domain: what fails together.",
	"registries": "Registries without TLS, host:port.",
}

// agentExamples are the other settings, as comments: without "#  " they are YAML.
const agentExamples = `
# Settings below are optional. Take the "#  " away to use one.

# Resources with names of their own go into resources, in the text form of
# Mesos, such as named: "bandwidth:1000;lanes:[1-4];licences:{a,b}". So does
# gpus, a number of whole devices.

# Devices that are given out as GPUs. Without it: those of NVIDIA's driver.
#  gpu_devices: [/dev/nvidia0, /dev/nvidia1]

# What placement rules look at, and the fault domain.
#  attributes: {rack: r1}
#  domain: {region: eu, zone: eu-1}

# Parts of resources that are kept for a role (static reservations).
#  reserved:
#    eng/web: {cpus: 1, mem: 512, ports: 31000-31010}

# Credentials of registries: a Docker config.json. It is read at each pull.
# Helper programs that it names are not run.
#  registry_auth: /etc/universe/registry-auth.json

# Directories of this machine that tasks may mount parts of.
#  host_paths:
#    - path: /srv/models
#    - path: /srv/shared
#      writable: true

# What tasks may fetch as artifacts. Without file_roots no file:// source is
# allowed; max_size is MiB unpacked.
#  fetch:
#    file_roots: [/srv/artifacts]
#    require_checksum: true
#    max_size: 8192
#    timeout: 30m

# Networks of their own for groups of tasks: the subnet of "bridge", and a
# directory of more CNI networks (*.conflist).
#  network:
#    subnet: 10.212.0.0/16
#    cni_conf_dir: /etc/cni/net.d

# The name server that tasks ask: where it listens ("off": none, and tasks have
# the machine's own), and who is asked for names outside the cluster.
#  dns:
#    listen: 10.0.0.11:53
#    upstreams: [9.9.9.9, 149.112.112.112]

# Virtual addresses of endpoints: none on this machine, or another range than
# 198.18.0.0/15. The range must be that of the master.
#  virtual_addresses:
#    off: true
#    range: 198.18.0.0/15

# Unused images are removed when the disk of dir is fuller than prune_above
# percent, until it is at prune_to.
#  images:
#    prune_above: 85
#    prune_to: 80

# debug, info, warn or error.
#  log_level: info
`

// writeAgentFile writes the configuration of an agent with comments.
func writeAgentFile(path string, c agentConfig) error {
	text, err := agentFile(c)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	return writeFile(path, text)
}

func agentFile(c agentConfig) ([]byte, error) {
	var doc yaml.Node
	if err := doc.Encode(c); err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if about := agentSettings[doc.Content[i].Value]; about != "" {
			doc.Content[i].HeadComment = "# " + about
		}
	}
	var b bytes.Buffer
	b.WriteString("# The configuration of universe agent, which reads it when it starts.\n\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	b.WriteString(agentExamples)
	return b.Bytes(), nil
}
