package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/universe-dcos/universe/internal/problem"
)

// Recipe is how one image is built: the content of a package's image/<name>.yaml.
type Recipe struct {
	// Platform is OS/ARCHITECTURE; only linux/amd64 and linux/arm64 are built.
	Platform string `yaml:"platform"`
	// User is "UID:GID" or "UID", the default user of the image's processes.
	User string `yaml:"user"`
	// Env is the default environment.
	Env map[string]string `yaml:"env"`
	// Workdir is the default working directory; "/" if empty.
	Workdir string `yaml:"workdir"`
	// Layers from the lowest to the topmost, with each use already replaced by
	// the layer it names.
	Layers []Layer `yaml:"layers"`

	path string
}

// Layer is one layer of an image. It holds either Use alone, or one or more
// sources, which are laid over each other in the order of the fields.
type Layer struct {
	// Use is the path of a file that holds a layer shared between packages: in
	// the recipe's own folder, or in a folder _layers further up.
	Use    string  `yaml:"use"`
	Debian *Debian `yaml:"debian"`
	Jlink  *Jlink  `yaml:"jlink"`
	PyPI   *PyPI   `yaml:"pypi"`
	Maven  *Maven  `yaml:"maven"`
	Java   *Java   `yaml:"java"`
	Files  []File  `yaml:"files"`

	file    string // the file this layer was read from
	pointer string // its place there, a JSON pointer
}

// Debian takes the files of Debian packages as they are, with the four folders
// /bin, /sbin, /lib and /lib64 merged into /usr as Debian has it since 2023.
// Dependencies are not followed: name each package.
type Debian struct {
	// Packages are names, or name=version to pin one.
	Packages []string `yaml:"packages"`
	// Exclude are patterns of paths to leave out, with all that lies below them,
	// such as usr/share/doc/*/changelog*; ** stands for any folders. They see the
	// path after the merge into /usr.
	Exclude []string `yaml:"exclude"`
	// Certificates, if set, is a path that gets all certificates of
	// /usr/share/ca-certificates in one file: what the package's own script
	// would do.
	Certificates string `yaml:"certificates"`
}

// Jlink is a Java runtime with only the modules named, linked by the JDK of a
// Debian package that is unpacked for the purpose and not installed.
type Jlink struct {
	// Package is the JDK: openjdk-N-jdk-headless.
	Package string `yaml:"package"`
	// Modules are the root modules; what they require comes along.
	Modules []string `yaml:"modules"`
	// To is where the runtime goes, such as /opt/jre.
	To string `yaml:"to"`
}

// PyPI takes members of one archive of the Python package index.
type PyPI struct {
	// Name and Version name the archive.
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	// Kind is sdist (the default) or wheel.
	Kind string `yaml:"kind"`
	// Python is the version of Python that a wheel with compiled parts is for, such
	// as 3.11; that of the machine's pip if empty. Left out of the digest of a layer
	// that has none, as older recipes.
	Python string `yaml:"python" json:",omitempty"`
	// SHA256 is the archive's digest in hexadecimal. It is checked before
	// anything of the archive is used.
	SHA256 string `yaml:"sha256"`
	// Select says which members go where.
	Select []Select `yaml:"select"`
}

// Select is a part of an archive and its place in the image.
type Select struct {
	// From is a member, or a folder if it ends in a slash. The top folder
	// NAME-VERSION/ of a source archive is not part of it.
	From string `yaml:"from"`
	// To is the place in the image; it ends in a slash as From does.
	To string `yaml:"to"`
	// Exclude are patterns of paths below From to leave out.
	Exclude []string `yaml:"exclude"`
}

// Maven takes the run-time dependencies of a Maven project.
type Maven struct {
	// POM is the project file beside the recipe.
	POM string `yaml:"pom"`
	// To is the folder for the jars.
	To string `yaml:"to"`
	// Exclude are patterns of file names to leave out.
	Exclude []string `yaml:"exclude"`
}

// Java compiles sources into a jar.
type Java struct {
	// JDK is the Debian package with the compiler; openjdk-17-jdk-headless if empty.
	JDK string `yaml:"jdk"`
	// Sources are the files beside the recipe.
	Sources []string `yaml:"sources"`
	// Classpath is a folder of jars of the layers below, with a slash at its
	// end; empty for none.
	Classpath string `yaml:"classpath"`
	// To is the jar's path.
	To string `yaml:"to"`
}

// File is one file, folder or symbolic link. Exactly one of From, Content, Dir
// and Link is set.
type File struct {
	// From is a file or folder beside the recipe.
	From string `yaml:"from"`
	// Content is the text of the file.
	Content string `yaml:"content"`
	// Dir makes an empty folder of this path; To is not used.
	Dir string `yaml:"dir"`
	// Link is the target of a symbolic link at To.
	Link string `yaml:"link"`
	// To is the place in the image.
	To string `yaml:"to"`
	// Mode is octal; 0644 for files and 0755 for folders if empty.
	Mode string `yaml:"mode"`
	// Owner is UID:GID; 0:0 if empty.
	Owner string `yaml:"owner"`
}

// Load reads a recipe and the shared layers it uses. The error names each wrong
// place in the manner of a JSON pointer, with its line.
func Load(path string) (*Recipe, error) {
	var r Recipe
	d := &decoder{file: path}
	if err := d.load(path, &r); err != nil {
		return nil, err
	}
	r.path = path
	for i := range r.Layers {
		l := &r.Layers[i]
		l.file, l.pointer = path, fmt.Sprintf("/layers/%d", i)
		if l.Use == "" {
			continue
		}
		shared, err := l.shared()
		if err != nil {
			return nil, fmt.Errorf("%s: %s/use: %w", path, l.pointer, err)
		}
		*l = *shared
	}
	c := &checker{}
	c.recipe(&r)
	if err := c.err(path); err != nil {
		return nil, err
	}
	return &r, nil
}

// shared reads the layer file that l uses.
func (l *Layer) shared() (*Layer, error) {
	c := &checker{}
	c.use(l)
	if err := c.err(l.file); err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(l.file), filepath.FromSlash(l.Use))
	var shared Layer
	d := &decoder{file: path}
	if err := d.load(path, &shared); err != nil {
		return nil, err
	}
	shared.file = path
	if shared.Use != "" {
		return nil, problem.New(problem.Invalid, "%s: /use: a shared layer cannot use another", path).
			WithHint("name both in the recipe's layers")
	}
	c.layer(&shared)
	if err := c.err(path); err != nil {
		return nil, err
	}
	return &shared, nil
}

// dir is the folder that the layer's own files are relative to.
func (l *Layer) dir() string { return filepath.Dir(l.file) }

// readBounded reads a whole small file.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, problem.New(problem.NotFound, "%w", err)
		}
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, limit)
}

// readAll reads r to its end, or fails when there is more than limit.
func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, problem.New(problem.TooLarge, "%s is larger than %d bytes", name, limit)
	}
	return b, nil
}
