package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/universe-dcos/universe/internal/problem"
)

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// tlsFiles names the certificate a daemon shows, its key, and the authority it believes.
type tlsFiles struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	CA   string `yaml:"ca"`
}

// masterConfig is the file of `universe master`.
type masterConfig struct {
	Name     string `yaml:"name"`     // of the cluster, shown to people
	Dir      string `yaml:"dir"`      // state: command log, registry, index
	Listen   string `yaml:"listen"`   // API, site and registry for people: host:port
	Agents   string `yaml:"agents"`   // host:port for agents, mutual TLS
	Registry string `yaml:"registry"` // host:port at which agents reach the registry, plain HTTP on the cluster's own network
	LogLevel string `yaml:"log_level"`
	// Authority is the directory of the cluster's certificate authority, with
	// which machines can join; empty: dir/authority when there is no tls section,
	// else none.
	Authority string `yaml:"authority"`
	// TLS is what the master shows to agents; empty: a certificate of Authority.
	TLS tlsFiles `yaml:"tls"`
}

// agentConfig is the file of `universe agent`.
type agentConfig struct {
	ID         string            `yaml:"id"`
	Hostname   string            `yaml:"hostname"` // empty: id
	Host       string            `yaml:"host"`     // address at which its tasks are reached
	Master     string            `yaml:"master"`   // https://host:port
	Listen     string            `yaml:"listen"`   // host:port of its own API, for the master
	Dir        string            `yaml:"dir"`      // state: checkpoints, sandboxes, containerd's root
	Run        string            `yaml:"run"`      // sockets and mounts of the running containerd; short, below /run
	Bundle     string            `yaml:"bundle"`   // directory of containerd, its shim and runc
	Registries []string          `yaml:"registries"`
	Cgroup     string            `yaml:"cgroup"` // parent of its containers' cgroups, of no other agent's; empty: one named after run
	Attributes map[string]string `yaml:"attributes"`
	LogLevel   string            `yaml:"log_level"`
	Resources  agentResources    `yaml:"resources"`
	TLS        tlsFiles          `yaml:"tls"`
}

// agentResources is what an agent gives to tasks.
type agentResources struct {
	CPUs  float64 `yaml:"cpus"`
	Mem   int64   `yaml:"mem"`  // MiB
	Disk  int64   `yaml:"disk"` // MiB
	Ports string  `yaml:"ports"`
}

// readConfig reads a YAML file strictly into out: an unknown key is an error
// that names its line.
func readConfig(path string, out any) error {
	info, err := os.Stat(path)
	if err != nil {
		return problem.New(problem.Invalid, "reading the configuration: %w", err).WithHint("name the file with --config")
	}
	if info.Size() > maxConfig {
		return problem.New(problem.TooLarge, "%s has %d bytes; a configuration has at most %d", path, info.Size(), maxConfig)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return problem.New(problem.Invalid, "reading the configuration: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(out); err != nil {
		return problem.New(problem.Invalid, "%s: %w", path, err)
	}
	return nil
}

// writeConfig writes v as YAML, readable by its owner only.
func writeConfig(path string, v any) error {
	data, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
