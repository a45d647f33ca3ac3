// Package index knows which packages the registries hold.
//
// An Index reads registries and publishes an immutable Snapshot by an atomic
// pointer: readers never wait and see one state throughout. Refreshing is
// incremental: only a tag whose digest changed is read again, and a push event
// (Notify) costs the one repository. Everything can be rebuilt from nothing.
//
// Invariants:
//   - What is no package is skipped. A package that is broken, or is not what
//     its repository and tag say, is listed as unavailable with the reason and
//     never fails a refresh.
//   - A repository that cannot be read keeps what was known of it.
//   - After Notify returns, the next Fresh sees the push.
//
// A Snapshot is a resolver.Source.
//
//	idx := index.New(index.Registry{Host: "127.0.0.1:5000", Source: srv})
//	snap, err := idx.Fresh(ctx)
//	pkg := snap.Package("spark")
package index
