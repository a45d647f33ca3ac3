package registry

import ocispec "github.com/opencontainers/image-spec/specs-go/v1"

// Media types of a service package. They follow the image-spec's guidance for
// artifacts: vendor tree, version in the name, structured suffix at the end.
const (
	// PackageArtifactType is the artifactType of a package's manifest.
	PackageArtifactType = "application/vnd.dcos.universe.package.v1"
	// PackageConfigType is the config blob: canonical JSON, all that the
	// resolver and the catalog need.
	PackageConfigType = "application/vnd.dcos.universe.package.config.v1+json"
	// PackageContentType is the layer with the package's source directory.
	PackageContentType = "application/vnd.dcos.universe.package.content.v1.tar+gzip"
	// PackageContentZstdType is the same layer compressed with zstd; it is
	// read, and never written.
	PackageContentZstdType = "application/vnd.dcos.universe.package.content.v1.tar+zstd"
	// PackageReadmeType is the layer with README.md.
	PackageReadmeType = "application/vnd.dcos.universe.package.readme.v1+markdown"
	// PackageIconPNGType is the layer with icon.png.
	PackageIconPNGType = "application/vnd.dcos.universe.package.icon.v1+png"
	// PackageIconSVGType is the layer with icon.svg.
	PackageIconSVGType = "application/vnd.dcos.universe.package.icon.v1+svg"
)

// Docker's media types, which image registries still serve.
const (
	// DockerManifestType is Docker's image manifest, schema 2.
	DockerManifestType = "application/vnd.docker.distribution.manifest.v2+json"
	// DockerIndexType is Docker's manifest list.
	DockerIndexType = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// Annotations of a package's manifest, beside those of the image-spec
// (org.opencontainers.image.*).
const (
	// AnnotationName holds the package's name.
	AnnotationName = "com.dcos.universe.name"
	// AnnotationIconSize holds an icon layer's size: small, medium or large.
	AnnotationIconSize = "com.dcos.universe.icon.size"
)

// IsManifest reports whether mediaType is a manifest that a registry serves
// under /manifests/: an OCI or Docker image manifest or index.
func IsManifest(mediaType string) bool {
	switch mediaType {
	case ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, DockerManifestType, DockerIndexType:
		return true
	}
	return false
}

// IsIndex reports whether mediaType is an OCI image index or a Docker
// manifest list.
func IsIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == DockerIndexType
}

// IsForeignLayer reports whether a layer may be absent from a registry:
// non-distributable types (image-spec 1.1, "Non-Distributable Layers") and
// descriptors that name other places to download from.
func IsForeignLayer(d ocispec.Descriptor) bool {
	switch d.MediaType {
	// The three OCI types are deprecated for new images, and images have them.
	case "application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.foreign.diff.tar":
		return true
	}
	return len(d.URLs) > 0
}
