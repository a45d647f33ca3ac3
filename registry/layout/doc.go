// Package layout is a registry.Store over an OCI image layout: a directory
// that carries packages and images where no registry can be reached.
//
// One layout may hold several repositories. The tags of a repository with a
// name are written as name:tag in index.json, as other tools do; those of the
// repository without a name are written alone.
//
// Invariants:
//
//   - Content is checked against size and digest before it shows.
//
//   - One process at a time writes a layout, through one Layout: index.json is
//     written whole. A crash of the machine may lose what was written last.
//
//     l, err := layout.Open("bundle")
//     err = registry.Copy(ctx, l.Repository("data/spark"), source, desc, "4.3.0", registry.CopyOptions{})
package layout
