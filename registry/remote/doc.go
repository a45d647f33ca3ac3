// Package remote is a registry.Store over any OCI registry, through oras-go,
// and pushes container images to it.
//
// Invariants:
//
//   - HTTPS everywhere, except on loopback or when PlainHTTP asks otherwise.
//
//   - Credentials come from Docker's configuration unless the caller gives
//     them; they are sent to the registry's own host only.
//
//   - Every error has a class of internal/problem and names the registry.
//
//     ref, err := registry.ParseRef("localhost:5000/data/spark:4.3.0")
//     repo, err := remote.Open(ref, remote.Options{})
//     desc, err := repo.Resolve(ctx, ref.Reference())
package remote
