package image

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// Shapes of the names that are handed to other programs. None can begin with a
// dash, so none can be taken for an option.
var (
	debianName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]{1,127}(=[A-Za-z0-9][A-Za-z0-9.+:~-]{0,127})?$`) // Debian Policy §5.6.1, §5.6.12
	jdkName     = regexp.MustCompile(`^openjdk-[0-9]{1,3}-jdk-headless$`)
	moduleName  = regexp.MustCompile(`^[a-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$`)
	pypiName    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$`) // PyPA name specification
	pypiVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.+!]{0,62}$`)
	pythonText  = regexp.MustCompile(`^3\.[0-9]{1,2}$`)
	hexSHA256   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	envName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	userText    = regexp.MustCompile(`^[0-9]{1,9}(:[0-9]{1,9})?$`)
	ownerText   = regexp.MustCompile(`^[0-9]{1,9}:[0-9]{1,9}$`)
	sourceName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_/]{0,254}\.java$`)
	useText     = regexp.MustCompile(`^(\.\./){1,4}_layers/[a-z0-9][a-z0-9.-]{0,62}\.yaml$`)
)

// defaultJDK is the compiler of Java layers that name none.
const defaultJDK = "openjdk-17-jdk-headless"

// checker collects what is wrong with the values of a recipe.
type checker struct {
	faults []problem.Detail
}

func (c *checker) err(file string) error { return faultsError(file, c.faults) }

func (c *checker) fail(pointer, format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, problem.Detail{Pointer: pointer, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) shape(pointer string, re *regexp.Regexp, value, what string) {
	if !re.MatchString(value) {
		c.fail(pointer, "%q is not %s", value, what)
	}
}

func (c *checker) recipe(r *Recipe) {
	if r.Platform != "linux/amd64" && r.Platform != "linux/arm64" {
		c.fail("/platform", "must be linux/amd64 or linux/arm64, not %q", r.Platform)
	}
	c.shape("/user", userText, r.User, "a user: write UID:GID in digits")
	for _, name := range sortedKeys(r.Env) {
		c.shape("/env/"+escape(name), envName, name, "a name of the environment")
		if strings.ContainsRune(r.Env[name], 0) {
			c.fail("/env/"+escape(name), "holds a zero byte")
		}
	}
	if r.Workdir != "" {
		c.place("/workdir", r.Workdir)
	}
	if len(r.Layers) == 0 || len(r.Layers) > MaxLayers {
		c.fail("/layers", "must hold 1 to %d layers, not %d", MaxLayers, len(r.Layers))
	}
	for i := range r.Layers {
		if r.Layers[i].file == r.path { // shared layers were checked as they were read
			c.layer(&r.Layers[i])
		}
	}
}

// use checks the path of a shared layer and that nothing else is beside it.
func (c *checker) use(l *Layer) {
	if !filepath.IsLocal(l.Use) && !useText.MatchString(l.Use) {
		c.fail(l.pointer+"/use", "%q must lie beside the recipe or be ../_layers/NAME.yaml, at most four folders up", l.Use)
	}
	if l.Debian != nil || l.Jlink != nil || l.PyPI != nil || l.Maven != nil || l.Java != nil || len(l.Files) > 0 {
		c.fail(l.pointer, "a layer that uses another cannot have sources of its own: make it two layers")
	}
}

func (c *checker) layer(l *Layer) {
	p := l.pointer
	if l.Debian == nil && l.Jlink == nil && l.PyPI == nil && l.Maven == nil && l.Java == nil && len(l.Files) == 0 {
		c.fail(p, "the layer is empty: give it use, debian, jlink, pypi, maven, java or files")
	}
	if s := l.Debian; s != nil {
		c.debian(p+"/debian", s)
	}
	if s := l.Jlink; s != nil {
		c.shape(p+"/jlink/package", jdkName, s.Package, "a JDK: write openjdk-N-jdk-headless")
		c.list(p+"/jlink/modules", moduleName, s.Modules, "a Java module")
		c.place(p+"/jlink/to", s.To)
	}
	if s := l.PyPI; s != nil {
		c.pypi(p+"/pypi", s)
	}
	if s := l.Maven; s != nil {
		c.local(p+"/maven/pom", s.POM)
		c.place(p+"/maven/to", s.To)
		c.patterns(p+"/maven/exclude", s.Exclude)
	}
	if s := l.Java; s != nil {
		c.java(p+"/java", s)
	}
	for i, f := range l.Files {
		c.file(fmt.Sprintf("%s/files/%d", p, i), f)
	}
}

func (c *checker) debian(p string, s *Debian) {
	c.list(p+"/packages", debianName, s.Packages, "a Debian package: write name or name=version")
	c.patterns(p+"/exclude", s.Exclude)
	if s.Certificates != "" {
		c.place(p+"/certificates", s.Certificates)
	}
}

func (c *checker) pypi(p string, s *PyPI) {
	c.shape(p+"/name", pypiName, s.Name, "the name of a Python package")
	c.shape(p+"/version", pypiVersion, s.Version, "a version of a Python package")
	if s.Kind != "" && s.Kind != "sdist" && s.Kind != "wheel" {
		c.fail(p+"/kind", "must be sdist or wheel, not %q", s.Kind)
	}
	if s.Python != "" {
		c.shape(p+"/python", pythonText, s.Python, "a version of Python: write 3.11 in quotes")
		if s.Kind != "wheel" {
			c.fail(p+"/python", "is for wheels: a source archive is the same for every Python")
		}
	}
	c.shape(p+"/sha256", hexSHA256, s.SHA256, "a SHA-256 digest of 64 hexadecimal digits; the archive must be pinned")
	if len(s.Select) == 0 {
		c.fail(p+"/select", "must name at least one member")
	}
	for i, sel := range s.Select {
		q := fmt.Sprintf("%s/select/%d", p, i)
		if _, err := cleanPath(sel.From); err != nil || sel.From == "" {
			c.fail(q+"/from", "%q is not a member of an archive", sel.From)
		}
		c.place(q+"/to", sel.To)
		if strings.HasSuffix(sel.From, "/") != strings.HasSuffix(sel.To, "/") {
			c.fail(q, "from and to must both be folders (with a slash at the end) or both be files")
		}
		c.patterns(q+"/exclude", sel.Exclude)
	}
}

func (c *checker) java(p string, s *Java) {
	if s.JDK != "" {
		c.shape(p+"/jdk", jdkName, s.JDK, "a JDK: write openjdk-N-jdk-headless")
	}
	c.list(p+"/sources", sourceName, s.Sources, "a Java source beside the recipe")
	if s.Classpath != "" {
		c.place(p+"/classpath", s.Classpath)
		if !strings.HasSuffix(s.Classpath, "/") {
			c.fail(p+"/classpath", "must be a folder of jars with a slash at the end")
		}
	}
	c.place(p+"/to", s.To)
}

func (c *checker) file(p string, f File) {
	n := 0
	for _, s := range []string{f.From, f.Content, f.Dir, f.Link} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		c.fail(p, "must have exactly one of from, content, dir and link")
	}
	if f.From != "" {
		c.local(p+"/from", f.From)
	}
	if f.Dir != "" {
		c.place(p+"/dir", f.Dir)
		if f.To != "" {
			c.fail(p+"/to", "is not used with dir")
		}
	} else {
		c.place(p+"/to", f.To)
	}
	if len(f.Link) > MaxPathBytes {
		c.fail(p+"/link", "is longer than %d bytes", MaxPathBytes)
	}
	if f.Mode != "" {
		if m, err := strconv.ParseUint(f.Mode, 8, 32); err != nil || m > 0o1777 {
			c.fail(p+"/mode", "%q is not an octal mode of at most 1777", f.Mode)
		}
	}
	if f.Owner != "" {
		c.shape(p+"/owner", ownerText, f.Owner, "an owner: write UID:GID in digits")
	}
}

// list checks that a list is not empty, well shaped and names nothing twice.
func (c *checker) list(p string, re *regexp.Regexp, items []string, what string) {
	if len(items) == 0 {
		c.fail(p, "must not be empty")
	}
	for i, item := range items {
		q := fmt.Sprintf("%s/%d", p, i)
		c.shape(q, re, item, what)
		if slices.Contains(items[:i], item) {
			c.fail(q, "%q is given twice", item)
		}
	}
}

func (c *checker) patterns(p string, patterns []string) {
	for i, pattern := range patterns {
		if badPattern(pattern) {
			c.fail(fmt.Sprintf("%s/%d", p, i), "%q is not a pattern of paths", pattern)
		}
	}
}

// place checks an absolute path in the image.
func (c *checker) place(p, value string) {
	if !strings.HasPrefix(value, "/") {
		c.fail(p, "%q is not an absolute path", value)
		return
	}
	if _, err := cleanPath(value); err != nil {
		c.fail(p, "%v", err)
	}
}

// local checks a path below the recipe's own folder.
func (c *checker) local(p, value string) {
	if !filepath.IsLocal(value) || strings.Contains(value, "\\") {
		c.fail(p, "%q does not lie beside the recipe", value)
	}
}
