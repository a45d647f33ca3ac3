// Package server is our own OCI registry (distribution-spec 1.1): an
// http.Handler over a BlobStore for bytes and a MetaStore for everything else.
//
// Invariants:
//
//   - Commit order: the bytes are written and checked, the file is synced,
//     renamed to its digest, its directory is synced; then one metadata
//     transaction makes it visible. A crash leaves at most bytes that nothing
//     names, never a name without bytes.
//
//   - Content is stored and served byte for byte; a manifest is never encoded
//     again.
//
//   - A manifest's parts must be in its repository before it is.
//
//   - A tag that is a version of a package (registry.VersionOfTag) does not
//     move: 409 DENIED. The same content again is a success.
//
//   - A delete is metadata only and takes effect at once, in that repository
//     alone. Bytes that nothing names any more stay until garbage collection.
//
//   - Every request asks the authorizer before anything is read or written.
//
//   - No path is built from a request: names, tags, digests and session ids
//     are checked against their grammar first.
//
//     s, err := server.New(server.Options{Root: "registry-data"})
//     defer s.Close(ctx)
//     http.ListenAndServe("127.0.0.1:5000", s)
//
// The catalog in the same process reads without HTTP:
//
//	names, err := s.Repositories(ctx)
//	store := s.Repository("data/spark")
package server
