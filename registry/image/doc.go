// Package image builds the container images of first-party packages from a
// recipe: Debian packages, a jlink runtime, archives of the Python index, Maven
// coordinates, Java sources and plain files, laid in layers and put together as
// an OCI image (image-spec 1.1) with go-containerregistry.
//
//	recipe, err := image.Load("packages/spark/image/spark.yaml")
//	img, err := recipe.Build(ctx, image.Options{})
//	digest, err := img.Digest() // the same each time
//
// What holds:
//
//   - The same recipe over the same upstream artifacts gives the same digest. A
//     layer is a tar with sorted names, one fixed time, numeric owners, no
//     extended attributes and no setuid bits. Nothing of the machine gets in.
//   - Equal layer recipes give equal layers, so two images that use one shared
//     layer file share it on the wire and on the disk.
//   - Layers are kept under Options.CacheDir by a digest of their recipe. A
//     second build reads no network and takes milliseconds. Debian packages come
//     in the version apt knows when the layer is built; Options.Refresh builds
//     anew and so takes in updates. The versions used stand in the image history.
//   - Artifacts come through the clients that the machine has and trusts
//     (apt-get, pip, mvn), by name only. Which server they ask is theirs to know.
//     Archives of the Python index are pinned by hash; Debian's by apt's
//     signatures; Maven's by the repository's checksums.
//   - No maintainer script of a Debian package runs and nothing needs root.
//   - Everything read is bounded by the limits of limits.go, and no entry of an
//     archive can leave the tree it is unpacked into.
//
// Layers are compressed with zstd: against gzip it was a seventh smaller for a
// Java runtime and several times cheaper to unpack, and containerd reads it
// since 1.5. Jars hardly compress at all, so the cheap level loses nothing.
//
// A recipe is trusted like a makefile: pip runs the set-up code of a source
// archive to learn its metadata (after the hash was checked), mvn resolves what
// the project file asks for, and javac compiles the sources.
package image
