package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// ConfigVersion is the version of the config blob's form that is written here.
const ConfigVersion = 1

// Config is the config blob of a package artifact: all that solving and listing
// need, so that neither reads the package's content. It is stored as canonical
// JSON.
type Config struct {
	ConfigVersion int `json:"configVersion"` // ConfigVersion
	Metadata
	SchemaDigest string   `json:"schemaDigest"` // of config.schema.json's bytes, "sha256:…"
	Images       []Image  `json:"images,omitempty"`
	Actions      []Action `json:"actions,omitempty"`
}

// Image is a container image that belongs to a package. It lives in the
// repository "<repository of the package>/images/<name>".
type Image struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // of its manifest
	Size   int64  `json:"size"`   // bytes of its compressed layers together
}

// ImageRepository is where the image of a package lives, beside the package's
// own repository.
func ImageRepository(packageRepository, image string) string {
	return packageRepository + "/images/" + image
}

// EncodeConfig gives the blob of c.
func EncodeConfig(c Config) ([]byte, error) {
	c.ConfigVersion = ConfigVersion
	b, err := Canonical(c)
	if err != nil {
		return nil, err
	}
	if len(b) > MaxConfigBytes {
		return nil, problem.New(problem.TooLarge, "the config of package %s has %d bytes, more than %d", c.Name, len(b), MaxConfigBytes)
	}
	return b, nil
}

// DecodeConfig reads a blob and checks what the catalog relies on. Keys it does
// not know are ignored: a newer packer may add some. Errors are of class
// problem.Invalid.
func DecodeConfig(blob []byte) (Config, error) {
	var c Config
	if len(blob) > MaxConfigBytes {
		return c, problem.New(problem.Invalid, "config blob of %d bytes is larger than %d", len(blob), MaxConfigBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(blob))
	if err := dec.Decode(&c); err != nil {
		return c, problem.New(problem.Invalid, "config blob cannot be read: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return c, problem.New(problem.Invalid, "config blob holds more than one JSON value")
	}
	if err := c.check(); err != nil {
		return c, problem.New(problem.Invalid, "config blob: %w", err)
	}
	return c, nil
}

var digestRE = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ValidDigest reports whether s is "sha256:" and 64 hex digits.
func ValidDigest(s string) bool { return digestRE.MatchString(s) }

func (c *Config) check() error {
	switch {
	case c.ConfigVersion != ConfigVersion:
		return fmt.Errorf("version %d of the form is not known here (%d is)", c.ConfigVersion, ConfigVersion)
	case !ValidName(c.Name, MaxNameBytes):
		return fmt.Errorf("name %q is not a package name", c.Name)
	case c.Version.IsZero():
		return fmt.Errorf("package %s has no version", c.Name)
	case len([]rune(c.Summary)) > MaxSummary:
		return fmt.Errorf("summary is longer than %d characters", MaxSummary)
	case len(c.Requires) > MaxRelations || len(c.Provides) > MaxRelations || len(c.Conflicts) > MaxRelations:
		return fmt.Errorf("more than %d requirements, provisions or conflicts", MaxRelations)
	case len(c.Features) > MaxFeatures:
		return fmt.Errorf("more than %d features", MaxFeatures)
	case len(c.Keywords) > MaxKeywords || len(c.Categories) > MaxKeywords:
		return fmt.Errorf("more than %d keywords or categories", MaxKeywords)
	case len(c.Images) > MaxImages:
		return fmt.Errorf("more than %d images", MaxImages)
	}
	for _, r := range c.relations() {
		if !ValidName(r, MaxNameBytes) {
			return fmt.Errorf("%q is not a package name", r)
		}
	}
	for i, img := range c.Images {
		if !ValidName(img.Name, MaxNameBytes) || !ValidDigest(img.Digest) || img.Size < 0 {
			return fmt.Errorf("image %d (%q, %q) is not a name and a digest", i, img.Name, img.Digest)
		}
	}
	return nil
}

// relations lists the names of other packages that c speaks of.
func (c *Config) relations() []string {
	var out []string
	for _, r := range c.Requires {
		out = append(out, r.Name)
	}
	for _, p := range c.Provides {
		out = append(out, p.Name)
	}
	for _, x := range c.Conflicts {
		out = append(out, x.Name)
	}
	for _, f := range c.Features {
		if f == nil {
			continue
		}
		for _, r := range f.Requires {
			out = append(out, r.Name)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
