// Package registry is the vocabulary of OCI registries: references (Ref), the
// media types of a service package, the mapping between versions and tags, and
// Store, the interface of one repository.
//
// Invariants:
//   - Content is named by digest. Whoever reads checks digest and size
//     (ReadBlob, Verify); whoever stores checks them before the content shows.
//   - A tag is set last. What a reader finds behind a tag is complete.
//   - Errors carry a class of internal/problem: NotFound, Exists, Invalid,
//     TooLarge, Unauthorized, Forbidden, RateLimited, Unavailable.
//
// The implementations are registry/remote (any OCI registry), registry/layout
// (a directory) and registry/server (our own registry, without HTTP); all pass
// the suite of registry/registrytest.
//
//	ref, err := registry.ParseRef("registry.example.com/data/spark:4.3.0")
//	store, err := remote.Open(ref, remote.Options{})
//	desc, err := store.Resolve(ctx, ref.Reference())
//	manifest, err := registry.ReadBlob(ctx, store, desc, registry.MaxManifestBytes)
package registry
