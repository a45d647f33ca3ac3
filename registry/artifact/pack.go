package artifact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// Names that Pack leaves out wherever they stand, beside every name that
// starts with a dot or ends with "~".
var ignoredNames = []string{"CVS", "Thumbs.db", "desktop.ini", "__MACOSX", "__pycache__", "lost+found"}

// Ignored reports whether Pack leaves out a file or directory of this name:
// dot files, editors' backups, and what desktops and tools drop.
func Ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || slices.Contains(ignoredNames, name)
}

// The files that get layers of their own beside the content.
const (
	readmeFile  = "README.md"
	iconPNGFile = "icon.png"
	iconSVGFile = "icon.svg"
	contentFile = "content.tar.gz"
)

// Pack makes an artifact of a source directory. config is the config blob, in
// the caller's canonical JSON. README.md, icon.png and icon.svg at the top get
// layers of their own as well. Errors name the file: problem.Invalid for links,
// devices and bad names, problem.TooLarge over a limit.
func Pack(fsys fs.FS, meta Meta, config []byte) (*Package, error) {
	if _, err := registry.TagOfVersion(meta.Version); err != nil {
		return nil, fmt.Errorf("pack %q: %w", meta.Name, err)
	}
	if err := checkConfig(config); err != nil {
		return nil, fmt.Errorf("pack %q: %w", meta.Name, err)
	}
	files, err := readTree(fsys)
	if err != nil {
		return nil, fmt.Errorf("pack %q: %w", meta.Name, err)
	}
	p := &Package{config: slices.Clone(config), files: files, blobs: map[string][]byte{}}
	p.manifest = ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: registry.PackageArtifactType,
		Config:       ocispec.Descriptor{MediaType: registry.PackageConfigType, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Annotations:  meta.annotations(),
	}
	if err := p.addLayers(); err != nil {
		return nil, fmt.Errorf("pack %q: %w", meta.Name, err)
	}
	if err := checkAnnotations(p.manifest.Annotations); err != nil {
		return nil, fmt.Errorf("pack %q: %w", meta.Name, err)
	}
	if p.raw, err = json.Marshal(p.manifest); err != nil {
		return nil, fmt.Errorf("pack %q: encode manifest: %w", meta.Name, err)
	}
	p.desc = ocispec.Descriptor{MediaType: p.manifest.MediaType, ArtifactType: p.manifest.ArtifactType,
		Digest: digest.FromBytes(p.raw), Size: int64(len(p.raw))}
	return p, nil
}

func checkConfig(config []byte) error {
	if len(config) > MaxConfigPackBytes {
		return problem.New(problem.TooLarge, "config has %d bytes, more than the limit of %d", len(config), MaxConfigPackBytes)
	}
	if !json.Valid(config) {
		return problem.New(problem.Invalid, "config is not valid JSON")
	}
	return nil
}

func checkAnnotations(a map[string]string) error {
	n := 0
	for k, v := range a {
		n += len(k) + len(v)
	}
	if n > MaxAnnotationBytes {
		return problem.New(problem.TooLarge, "annotations have %d bytes, more than the limit of %d", n, MaxAnnotationBytes)
	}
	return nil
}

func (p *Package) addLayers() error {
	content, err := writeLayer(p.files)
	if err != nil {
		return err
	}
	p.addLayer(registry.PackageContentType, contentFile, content)
	for _, l := range []struct {
		file, mediaType string
		limit           int
	}{
		{readmeFile, registry.PackageReadmeType, MaxReadmeBytes},
		{iconPNGFile, registry.PackageIconPNGType, MaxIconBytes},
		{iconSVGFile, registry.PackageIconSVGType, MaxIconBytes},
	} {
		f := p.files.files[l.file]
		if f == nil {
			continue
		}
		if len(f.data) > l.limit {
			return problem.New(problem.TooLarge, "file %q has %d bytes, more than the limit of %d", l.file, len(f.data), l.limit)
		}
		p.addLayer(l.mediaType, l.file, f.data)
	}
	return nil
}

func (p *Package) addLayer(mediaType, title string, data []byte) {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data)),
		Annotations: map[string]string{ocispec.AnnotationTitle: title}}
	p.manifest.Layers = append(p.manifest.Layers, d)
	p.blobs[d.Digest.String()] = data
}

// readTree reads the source directory, less what is ignored.
func readTree(fsys fs.FS) (*tree, error) {
	t := newTree()
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read source directory: %w", err)
		}
		if name != "." && Ignored(path.Base(name)) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			return nil
		}
		if !e.Type().IsRegular() {
			return problem.New(problem.Invalid, "%q is not a regular file but %s", name, kindOf(e.Type())).
				WithHint("a package holds files and directories only: put the file itself there")
		}
		f, err := readFile(fsys, name)
		if err != nil {
			return err
		}
		return t.add(name, f)
	})
	if err != nil {
		return nil, err
	}
	if len(t.files) == 0 {
		return nil, problem.New(problem.Invalid, "source directory holds no files")
	}
	t.seal()
	return t, nil
}

func readFile(fsys fs.FS, name string) (*file, error) {
	in, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read source file: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("read source file: %w", err)
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(in, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read source file %q: %w", name, err)
	}
	if n > MaxFileBytes {
		return nil, problem.New(problem.TooLarge, "file %q has more than %d bytes", name, MaxFileBytes).
			WithHint("reference large assets by URL and digest instead of packing them")
	}
	return &file{data: b.Bytes(), exec: info.Mode()&0o100 != 0}, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&(fs.ModeDevice|fs.ModeCharDevice) != 0:
		return "a device"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "something else"
}
