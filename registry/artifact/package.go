package artifact

import (
	"io/fs"
	"maps"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry"
)

// Meta is what the manifest says of a package beside its config.
type Meta struct {
	// Name is the package's name.
	Name string
	// Version is its semantic version, with build metadata if it has any.
	Version string
	// Annotations are more annotations of the manifest, such as
	// org.opencontainers.image.licenses. Those that name and version imply
	// are set by Pack.
	Annotations map[string]string
}

// Package is one release as an artifact, whole and checked, in memory. It is
// not changed after Pack or Pull made it.
type Package struct {
	desc     ocispec.Descriptor
	manifest ocispec.Manifest
	raw      []byte // the manifest's bytes
	config   []byte
	blobs    map[string][]byte // by digest: the layers
	files    *tree
}

// Descriptor is the manifest's: its digest is the digest of the release.
func (p *Package) Descriptor() ocispec.Descriptor { return p.desc }

// Manifest is the decoded manifest.
func (p *Package) Manifest() ocispec.Manifest { return p.manifest }

// Name is the package's name by the manifest's annotations.
func (p *Package) Name() string { return p.manifest.Annotations[registry.AnnotationName] }

// Version is the package's version by the manifest's annotations.
func (p *Package) Version() string { return p.manifest.Annotations[ocispec.AnnotationVersion] }

// Config is the config blob.
func (p *Package) Config() []byte { return slices.Clone(p.config) }

// Content is the source directory.
func (p *Package) Content() fs.FS { return p.files }

// README is the text of README.md; nil when the package has none.
func (p *Package) README() []byte {
	b, _ := p.layer(registry.PackageReadmeType)
	return b
}

// Icon is the icon and its layer's media type (registry.PackageIconPNGType or
// registry.PackageIconSVGType); nil when the package has none.
func (p *Package) Icon() (icon []byte, mediaType string) {
	return p.layer(registry.PackageIconPNGType, registry.PackageIconSVGType)
}

// Size is how many bytes a push moves: manifest, config and layers.
func (p *Package) Size() int64 {
	n := p.desc.Size + p.manifest.Config.Size
	for _, l := range p.manifest.Layers {
		n += l.Size
	}
	return n
}

func (p *Package) layer(mediaTypes ...string) ([]byte, string) {
	if d, ok := findLayer(p.manifest, mediaTypes...); ok {
		return slices.Clone(p.blobs[d.Digest.String()]), d.MediaType
	}
	return nil, ""
}

// findLayer gives the first layer of the first media type that is there.
func findLayer(m ocispec.Manifest, mediaTypes ...string) (ocispec.Descriptor, bool) {
	for _, t := range mediaTypes {
		i := slices.IndexFunc(m.Layers, func(d ocispec.Descriptor) bool { return d.MediaType == t })
		if i >= 0 {
			return m.Layers[i], true
		}
	}
	return ocispec.Descriptor{}, false
}

// annotations are those of meta with what name and version imply.
func (m Meta) annotations() map[string]string {
	a := maps.Clone(m.Annotations)
	if a == nil {
		a = map[string]string{}
	}
	a[registry.AnnotationName] = m.Name
	a[ocispec.AnnotationVersion] = m.Version
	if a[ocispec.AnnotationTitle] == "" {
		a[ocispec.AnnotationTitle] = m.Name
	}
	return a
}
