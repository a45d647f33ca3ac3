package server

import (
	"time"

	"github.com/universe-dcos/universe/registry"
)

// Limits bound what a client can make the registry hold or do. A zero field
// means its default.
type Limits struct {
	// ManifestBytes bounds a manifest, in bytes; larger ones are answered 413.
	// Default DefaultManifestBytes, which is the least the spec allows.
	ManifestBytes int64
	// BlobBytes bounds a blob, in bytes; larger ones are answered 413.
	// Default DefaultBlobBytes.
	BlobBytes int64
	// Sessions bounds the open uploads; more are answered 429. Default
	// DefaultSessions.
	Sessions int
	// SessionIdle is how long an upload without traffic is kept. Default
	// DefaultSessionIdle.
	SessionIdle time.Duration
	// BodyIdle is how long a request body may stand still. There is no limit
	// on the whole request, as blobs may be large. Default DefaultBodyIdle.
	BodyIdle time.Duration
	// Page bounds the entries of one page of a list. Default DefaultPage.
	Page int
	// FreeBytes is the disk space that uploads leave free, in bytes: past it
	// they are answered 507. Default DefaultFreeBytes.
	FreeBytes int64
}

// Defaults of Limits.
const (
	DefaultManifestBytes = registry.MaxManifestBytes
	DefaultBlobBytes     = 64 << 30
	DefaultSessions      = 10_000
	DefaultSessionIdle   = 24 * time.Hour
	DefaultBodyIdle      = time.Minute
	DefaultPage          = 10_000
	DefaultFreeBytes     = 64 << 20
)

const (
	// MaxInlineBytes is the size up to which a manifest's bytes lie in the
	// MetaStore, in bytes, which spares opening a file; larger ones lie in the
	// BlobStore.
	MaxInlineBytes = 64 << 10
	// MaxInlineBlobBytes is the same for blobs that come in one piece, such as
	// configs: they need no file, and share a sync of the disk with others.
	MaxInlineBlobBytes = 16 << 10
	// MaxReferences bounds the descriptors in one manifest.
	MaxReferences = 10_000
	// MaxTagsPerPut bounds the tags set with one manifest.
	MaxTagsPerPut = 64
	// MaxReferrersBytes bounds one page of referrers, in bytes: clients read
	// at most 4 MiB.
	MaxReferrersBytes = 3 << 20
	// MaxMountSources bounds the repositories asked for a blob when a mount
	// names none.
	MaxMountSources = 16
)

func (l Limits) withDefaults() Limits {
	setDefault(&l.ManifestBytes, DefaultManifestBytes)
	setDefault(&l.BlobBytes, DefaultBlobBytes)
	setDefault(&l.Sessions, DefaultSessions)
	setDefault(&l.SessionIdle, DefaultSessionIdle)
	setDefault(&l.BodyIdle, DefaultBodyIdle)
	setDefault(&l.Page, DefaultPage)
	setDefault(&l.FreeBytes, DefaultFreeBytes)
	return l
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
