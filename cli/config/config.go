package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/universe-dcos/universe/internal/problem"
)

const (
	// FileName is the file in the configuration directory.
	FileName = "config.toml"
	// MaxFile bounds the file, in bytes.
	MaxFile = 1 << 20
	// MaxClusters bounds the clusters in it.
	MaxClusters = 1000
)

// Cluster is a cluster that commands can be sent to.
type Cluster struct {
	// URL is the base of its API; the paths begin with /v1.
	URL string `toml:"url" json:"url"`
	// Registry is host/namespace where `dcos package publish` puts packages
	// when told no other place; it may be empty.
	Registry string `toml:"registry,omitempty" json:"registry,omitempty"`
}

// Config is the content of the file. The zero Config is that of a first run.
type Config struct {
	// Attached names the cluster that commands go to when told no other.
	Attached string `toml:"attached,omitempty"`
	// Clusters are the known clusters by name.
	Clusters map[string]Cluster `toml:"clusters,omitempty"`
}

// Dir is the configuration directory that the environment asks for.
func Dir(getenv func(string) string) (string, error) {
	if d := getenv("DCOS_CONFIG_HOME"); d != "" {
		return d, nil
	}
	if d := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "dcos"), nil
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".config", "dcos"), nil
	}
	return "", problem.New(problem.Invalid, "there is no place for the configuration: HOME is not set").
		WithHint("set DCOS_CONFIG_HOME to a directory")
}

// Load reads the file in dir. A file that does not exist is an empty Config.
func Load(dir string) (*Config, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Config{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	if len(raw) > MaxFile {
		return nil, problem.New(problem.TooLarge, "configuration %s is larger than %d bytes", path, MaxFile)
	}
	c := &Config{}
	if err := toml.Unmarshal(raw, c); err != nil {
		return nil, parseError(path, err)
	}
	return c, c.validate(path)
}

// parseError says where in the file the reader stumbled.
func parseError(path string, err error) error {
	p := problem.New(problem.Invalid, "configuration %s is not valid TOML: %w", path, err).
		WithHint("mend the file, or remove it and run: dcos cluster setup URL")
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, col := at.Position()
		p = p.WithDetails(problem.Detail{Pointer: fmt.Sprintf("%s:%d:%d", filepath.Base(path), row, col), Message: at.Error()})
	}
	return p
}

func (c *Config) validate(path string) error {
	if len(c.Clusters) > MaxClusters {
		return problem.New(problem.TooLarge, "configuration %s holds %d clusters, more than %d", path, len(c.Clusters), MaxClusters)
	}
	for _, name := range c.Names() {
		if err := ValidName(name); err != nil {
			return fmt.Errorf("configuration %s: %w", path, err)
		}
		if _, err := ParseURL(c.Clusters[name].URL); err != nil {
			return fmt.Errorf("configuration %s: cluster %s: %w", path, name, err)
		}
	}
	return nil
}

// MaxName bounds the name of a cluster, in bytes.
const MaxName = 63

// ValidName checks the name of a cluster.
func ValidName(name string) error {
	const first = "abcdefghijklmnopqrstuvwxyz0123456789"
	if name != "" && len(name) <= MaxName && strings.Contains(first, name[:1]) && strings.Trim(name, first+"._-") == "" {
		return nil
	}
	return problem.New(problem.Invalid, "%q is not a name for a cluster", name).
		WithHint("use 1 to 63 lower-case letters, digits, dots, dashes and underscores")
}

// ParseURL reads the base URL of a cluster: http or https, a host, an optional
// path, and no user, query or fragment. A trailing slash is dropped.
func ParseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err == nil && u.User != nil {
		return "", problem.New(problem.Invalid, "the URL of a cluster carries no user and no password")
	}
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
		u.RawQuery != "" || u.Fragment != "" {
		return "", problem.New(problem.Invalid, "%q is not the URL of a cluster", s).
			WithHint("write it as http://host:port")
	}
	for len(u.Path) > 0 && u.Path[len(u.Path)-1] == '/' {
		u.Path = u.Path[:len(u.Path)-1]
	}
	return u.String(), nil
}

// Names lists the clusters in order.
func (c *Config) Names() []string { return slices.Sorted(maps.Keys(c.Clusters)) }

// Put adds or replaces a cluster; attach makes it the one commands go to.
func (c *Config) Put(name string, cl Cluster, attach bool) error {
	if err := ValidName(name); err != nil {
		return err
	}
	u, err := ParseURL(cl.URL)
	if err != nil {
		return err
	}
	cl.URL = u
	if c.Clusters == nil {
		c.Clusters = map[string]Cluster{}
	}
	c.Clusters[name] = cl
	if attach {
		c.Attached = name
	}
	return nil
}

// Remove forgets a cluster; a name that is not there is no error.
func (c *Config) Remove(name string) {
	delete(c.Clusters, name)
	if c.Attached == name {
		c.Attached = ""
	}
}

// Select finds the cluster a command goes to: flag, else DCOS_CLUSTER, else
// DCOS_URL, else the attached one, else the only one. A value with "://" is
// taken as a URL. The name is empty for a cluster given by its URL only.
func (c *Config) Select(flag string, getenv func(string) string) (name string, _ Cluster, _ error) {
	want := cmp.Or(flag, getenv("DCOS_CLUSTER"), getenv("DCOS_URL"))
	if want == "" {
		want = c.Attached
	}
	if want == "" && len(c.Clusters) == 1 {
		want = c.Names()[0]
	}
	if want == "" {
		return "", Cluster{}, problem.New(problem.Invalid, "no cluster is attached").
			WithHint("attach one with: dcos cluster setup URL\nor start one on this machine with: universe dev")
	}
	if strings.Contains(want, "://") {
		u, err := ParseURL(want)
		return c.named(u), Cluster{URL: u, Registry: c.Clusters[c.named(u)].Registry}, err
	}
	cl, ok := c.Clusters[want]
	if !ok {
		return "", Cluster{}, problem.New(problem.NotFound, "cluster %q is not known", want).
			WithHint("list the known ones with: dcos cluster list")
	}
	cl.URL, _ = ParseURL(cl.URL) // Load has checked it
	return want, cl, nil
}

// named is the name under which a URL is known, or nothing.
func (c *Config) named(u string) string {
	for _, n := range c.Names() {
		if known, err := ParseURL(c.Clusters[n].URL); err == nil && known == u {
			return n
		}
	}
	return ""
}
