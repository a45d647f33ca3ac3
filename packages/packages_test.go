// Package packages_test checks the sources of the first-party packages: that each
// folder is complete, that its image recipes can be read, and that options and
// service fit each other as catalog/spec sees it.
package packages_test

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry/image"
)

// iconSize is the width and height of an icon in pixels; maxIconBytes bounds the
// file, as pages show many of them.
const (
	iconSize     = 128
	maxIconBytes = 32 << 10
)

// folders lists the package folders: NAME, or NAME/VERSION where a package has a
// folder for each release. Names with an underscore are shared parts.
func folders(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, pattern := range []string{"*/package.yaml", "*/*/package.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if !strings.HasPrefix(f, "_") {
				list = append(list, filepath.ToSlash(filepath.Dir(f)))
			}
		}
	}
	if len(list) == 0 {
		t.Fatal("there are no packages")
	}
	return list
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// manifest is what this test looks at in package.yaml.
type manifest struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	Icon    string `yaml:"icon"`
}

func TestPackages_areComplete(t *testing.T) {
	for _, name := range folders(t) {
		t.Run(name, func(t *testing.T) {
			var m manifest
			if err := yaml.Unmarshal(read(t, name, "package.yaml"), &m); err != nil {
				t.Fatalf("package.yaml: %v", err)
			}
			if m.Name != name && m.Name+"/"+m.Version != name {
				t.Errorf("package.yaml is of %s %s, which is not its folder, %s", m.Name, m.Version, name)
			}
			if !json.Valid(read(t, name, "config.schema.json")) {
				t.Error("config.schema.json is not JSON")
			}
			if changes := read(t, name, "CHANGELOG.md"); !bytes.Contains(changes, []byte("\n## "+m.Version+"\n")) {
				t.Errorf("CHANGELOG.md has no section %q", "## "+m.Version)
			}
			if readme := read(t, name, "README.md"); !bytes.HasPrefix(readme, []byte("# ")) {
				t.Error("README.md does not begin with a title")
			}
			checkIcon(t, read(t, name, m.Icon))
		})
	}
}

func checkIcon(t *testing.T, data []byte) {
	t.Helper()
	if len(data) > maxIconBytes {
		t.Errorf("the icon has %d bytes, want at most %d", len(data), maxIconBytes)
	}
	icon, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("the icon is not a PNG: %v", err)
	}
	if b := icon.Bounds(); b.Dx() != iconSize || b.Dy() != iconSize {
		t.Errorf("the icon has %d x %d pixels, want %d x %d", b.Dx(), b.Dy(), iconSize, iconSize)
	}
}

// TestPackages_haveTheirImages checks that there is a readable recipe for each
// image that a service names, and none beside.
func TestPackages_haveTheirImages(t *testing.T) {
	for _, name := range folders(t) {
		t.Run(name, func(t *testing.T) {
			var service any
			if err := yaml.Unmarshal(read(t, name, "service.yaml"), &service); err != nil {
				t.Fatalf("service.yaml: %v", err)
			}
			named := images(service, nil)
			recipes, err := filepath.Glob(filepath.Join(name, "image", "*.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range recipes {
				if _, err := image.Load(path); err != nil {
					t.Error(err)
				}
				if img := strings.TrimSuffix(filepath.Base(path), ".yaml"); !slices.Contains(named, img) {
					t.Errorf("no task of service.yaml uses the image %s", img)
				}
			}
			for _, img := range named {
				if !slices.Contains(recipes, filepath.Join(name, "image", img+".yaml")) {
					t.Errorf("service.yaml names the image %s, which has no recipe", img)
				}
			}
		})
	}
}

// images collects the values of the key image, at any depth, that are names and
// not references.
func images(node any, found []string) []string {
	switch n := node.(type) {
	case []any:
		for _, item := range n {
			found = images(item, found)
		}
	case map[string]any:
		for key, value := range n {
			if img, ok := value.(string); ok && key == "image" && !strings.Contains(img, "/") {
				found = append(found, img)
			} else {
				found = images(value, found)
			}
		}
	}
	return found
}

// TestPackages_areValid checks each package as lint does.
func TestPackages_areValid(t *testing.T) {
	for _, name := range folders(t) {
		t.Run(name, func(t *testing.T) {
			if _, err := spec.Load(os.DirFS(name)); err != nil {
				for _, d := range problem.Of(err).Details {
					t.Errorf("%s: %s", d.Pointer, d.Message)
				}
				t.Error(err)
			}
		})
	}
}

// TestLayers_areUsed checks that every shared layer belongs to some image.
func TestLayers_areUsed(t *testing.T) {
	layers := glob(t, "_layers/*.yaml", "*/_layers/*.yaml")
	recipes := glob(t, "*/image/*.yaml", "*/*/image/*.yaml")
	if len(layers) == 0 {
		t.Fatal("no shared layers")
	}
	for _, layer := range layers {
		// Layers beside a package's releases are for that package alone.
		owner := filepath.Dir(filepath.Dir(layer))
		if !slices.ContainsFunc(recipes, func(r string) bool {
			if owner != "." && !strings.HasPrefix(r, owner+string(filepath.Separator)) {
				return false
			}
			return bytes.Contains(read(t, r), []byte("/_layers/"+filepath.Base(layer)))
		}) {
			t.Errorf("no image uses %s", layer)
		}
	}
}

// glob gives the files that fit one of the patterns.
func glob(t *testing.T, patterns ...string) []string {
	t.Helper()
	var list []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	return list
}
