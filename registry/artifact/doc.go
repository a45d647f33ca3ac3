// Package artifact turns a package's source directory into an OCI artifact and
// back. It knows nothing of what the files mean.
//
// An artifact is an image manifest with artifactType
// registry.PackageArtifactType, a config blob in the caller's canonical JSON,
// and up to three layers: the source directory as tar+gzip, the README and the
// icon.
//
// Invariants:
//
//   - The same directory packed twice has the same digest: entries are sorted,
//     times are fixed, owners are zero, and the compressor's version is pinned
//     by this module.
//
//   - Files come back byte for byte; only the executable bit of their mode is
//     kept. Links, devices and paths that leave the directory are refused, at
//     packing and at reading.
//
//   - Every read is bounded (limits.go) and checked against size and digest.
//
//   - Push sets the tag last: a failed push leaves none.
//
//     pkg, err := artifact.Pack(os.DirFS("packages/spark"), artifact.Meta{Name: "spark", Version: "4.3.0"}, config)
//     desc, err := artifact.Push(ctx, store, pkg, "")
//     pkg, err = artifact.Pull(ctx, store, "4.3.0")
//     err = pkg.Extract("spark")
package artifact
