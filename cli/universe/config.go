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
	// DNS is a name server for machines that run no agent; its Listen is port 53 of
	// the address of agents where it says nothing.
	DNS              dnsConfig `yaml:"dns,omitempty"`
	VirtualAddresses vipRange  `yaml:"virtual_addresses,omitempty"`
	// TLS is what the master shows to agents; empty: a certificate of Authority.
	TLS tlsFiles `yaml:"tls"`
}

// checked is a configuration that can tell what is wrong with it.
type checked interface{ check() faults }

// readConfig reads a YAML file strictly into out, and checks it where it can be
// checked. The error names the file and every setting that is wrong.
func readConfig(path string, out any) error {
	if err := decodeConfig(path, out); err != nil {
		return err
	}
	c, can := out.(checked)
	if !can {
		return nil
	}
	if wrong := c.check(); len(wrong) > 0 {
		what := "1 setting is wrong"
		if len(wrong) > 1 {
			what = fmt.Sprintf("%d settings are wrong", len(wrong))
		}
		return problem.New(problem.Invalid, "%s: %s", path, what).WithDetails(wrong...).
			WithHint("correct them in the file and start again")
	}
	return nil
}

// decodeConfig reads a YAML file strictly into out: an unknown key is an error
// that names its line. What the values mean is not looked at.
func decodeConfig(path string, out any) error {
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
		return problem.New(problem.Invalid, "%s: %w", path, err).WithHint("correct that line in the file and start again")
	}
	return nil
}

// writeConfig writes v as YAML, readable by its owner only.
func writeConfig(path string, v any) error {
	data, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	return writeFile(path, data)
}

// writeFile writes a file that its owner alone can read, and its directory.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
