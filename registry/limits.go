package registry

// Limits of names and of reads. A registry or an archive that goes over one is
// refused with class problem.TooLarge or problem.Invalid.
const (
	// MaxNameBytes bounds host + "/" + repository, in bytes. Many clients
	// refuse longer names (OCI distribution-spec 1.1, "Pulling manifests").
	MaxNameBytes = 255
	// MaxTagBytes bounds a tag, in bytes (distribution-spec 1.1).
	MaxTagBytes = 128
	// MaxManifestBytes bounds a manifest we read or accept, in bytes. It is
	// the least every registry must accept (distribution-spec 1.1).
	MaxManifestBytes = 4 << 20
	// MaxTags bounds what Tags returns for one repository, and other lists.
	MaxTags = 1_000_000
	// MaxCopyManifests bounds the manifests that one Copy walks.
	MaxCopyManifests = 4096
	// MaxCopyDepth bounds how deep indexes may nest in one Copy.
	MaxCopyDepth = 8
)
