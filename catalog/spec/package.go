package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Package is a loaded package. It is immutable and may be used by several
// goroutines.
type Package struct {
	Meta      catalog.Metadata
	Schema    []byte   // config.schema.json
	Images    []string // names of the package's own images (image/<name>.yaml), sorted
	Readme    []byte   // README.md; empty when there is none
	Changelog []byte   // CHANGELOG.md
	Icon      []byte   // the file that Meta.Icon names

	schema  *schema
	service *node
	notes   *node
	actions []action
}

// Load reads and checks the source of a package. The error is of class Invalid
// and lists every fault as file:line:column and message.
func Load(fsys fs.FS) (*Package, error) {
	f := &faults{}
	p := &Package{}
	if root := p.yaml(fsys, FilePackage, f); root != nil {
		p.Meta, p.notes = metadata(root, f)
	}
	if b, ok := read(fsys, FileSchema, MaxFileBytes, true, f); ok {
		p.Schema = b
		p.schema = parseSchema(b, f)
	}
	p.service = p.yaml(fsys, FileService, f)
	p.listImages(fsys, f)
	p.Readme, _ = read(fsys, FileReadme, MaxDocumentBytes, false, f)
	p.Changelog, _ = read(fsys, FileChangelog, MaxDocumentBytes, false, f)
	if p.Meta.Icon != "" {
		p.Icon, _ = read(fsys, p.Meta.Icon, MaxIconBytes, true, f)
	}
	if p.schema != nil && p.service != nil {
		p.static(f)
	}
	what := "package"
	if p.Meta.Name != "" {
		what += " " + p.Meta.Name
	}
	if err := f.err(what); err != nil {
		return nil, err
	}
	// What depends on values is checked with the values that everybody gets.
	if err := p.tryDefaults(); err != nil {
		return nil, err
	}
	return p, nil
}

// read reads a file of the package; a missing one is a fault only when it must
// be there.
func read(fsys fs.FS, name string, limit int64, must bool, f *faults) ([]byte, bool) {
	file, err := fsys.Open(name)
	if err != nil {
		if !must && errors.Is(err, fs.ErrNotExist) {
			return nil, false
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("the file is missing")
		}
		f.at(pos{file: name}, "%v", err)
		return nil, false
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	switch {
	case err != nil:
		f.at(pos{file: name}, "%v", err)
		return nil, false
	case int64(len(b)) > limit:
		f.at(pos{file: name}, "the file has more than %d bytes", limit)
		return nil, false
	}
	return b, true
}

func (p *Package) yaml(fsys fs.FS, name string, f *faults) *node {
	b, ok := read(fsys, name, MaxFileBytes, true, f)
	if !ok {
		return nil
	}
	return parseYAML(name, b, f)
}

func (p *Package) listImages(fsys fs.FS, f *faults) {
	entries, err := fs.ReadDir(fsys, DirImages)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.at(pos{file: DirImages}, "%v", err)
		}
		return
	}
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".yaml" {
			continue
		}
		name := strings.TrimSuffix(e.Name(), ".yaml")
		if !validName(name, catalog.MaxNameBytes) {
			f.at(pos{file: path.Join(DirImages, e.Name())}, "%q is no name of an image: want a lower-case letter, then lower-case letters, digits and -", clip(name))
			continue
		}
		p.Images = append(p.Images, name)
	}
	if len(p.Images) > catalog.MaxImages {
		f.at(pos{file: DirImages}, "%d images, more than %d", len(p.Images), catalog.MaxImages)
	}
	slices.Sort(p.Images)
}

// standInImages gives each image a reference that only looks like one: Load
// does not need the images to be built.
func (p *Package) standInImages() map[string]string {
	out := map[string]string{}
	for _, name := range p.Images {
		out[name] = "registry.invalid/" + p.Meta.Name + "/images/" + name + "@sha256:" + strings.Repeat("0", 64)
	}
	return out
}

// static compiles every expression and checks what can be told without values.
func (p *Package) static(f *faults) {
	reqs := p.Requirements()
	sc, err := newScope(p.schema, reqs, nil)
	if err != nil {
		f.at(pos{file: FileService}, "%v", err)
		return
	}
	exprs := 0
	images := p.standInImages()
	for _, fl := range p.service.fields { // none when it is no mapping, which is told below
		if fl.key == "actions" {
			p.actions = (&decoder{f: f, exprs: &exprs}).actions(fl.val, p.schema, reqs)
		}
	}
	d := &decoder{f: f, sc: sc, exprs: &exprs, acts: p.actions}
	s := d.service(p.service, images)
	s.Runs = p.templates(d, images, s.Pods)
	d.checkRefs(s.Pods, portsByPod(s.Pods))
	d.checkCalls(s.Pods)
	if p.notes != nil {
		nd := &decoder{f: f, sc: sc, exprs: &exprs}
		nd.longStr(p.notes, false, MaxValueBytes)
		nd.checkCalls(s.Pods)
	}
	for i := range p.actions {
		if a := &p.actions[i]; a.task != nil {
			p.actionTask(&decoder{f: f, sc: a.scope, exprs: &exprs}, a, images, s.Pods)
		}
	}
}

// tryDefaults renders everything with the default options, where the schema
// gives all of them: with every requirement bound, and without the optional ones.
func (p *Package) tryDefaults() error {
	if err := p.tryBound(p.standInBindings(true)); err != nil || !p.hasOptional() {
		return err
	}
	return p.tryBound(p.standInBindings(false))
}

func (p *Package) tryBound(bound Bindings) error {
	if p.schema.root.lacks() {
		return nil
	}
	o, err := p.Options(nil, "")
	if err != nil {
		return fmt.Errorf("the defaults of %s: %w", FileSchema, err)
	}
	id, images := p.ID(o), p.standInImages()
	if _, err := p.Render(o, id, images, bound); err != nil {
		return fmt.Errorf("with the default options: %w", err)
	}
	if _, err := p.RenderNotes(o, id, bound); err != nil {
		return fmt.Errorf("with the default options: %w", err)
	}
	for i := range p.actions {
		a := &p.actions[i]
		if slices.ContainsFunc(a.Args, func(g catalog.Arg) bool { return g.Default == nil }) {
			continue
		}
		if _, _, err := p.RenderAction(o, id, images, bound, strings.Fields(a.Name), nil); err != nil {
			return fmt.Errorf("with the default options: %w", err)
		}
	}
	return nil
}

// lacks reports whether a required option has no default.
func (o *option) lacks() bool {
	for name, c := range o.props {
		if c.sch.Default == nil && len(c.props) == 0 && o.must[name] || c.lacks() {
			return true
		}
	}
	return false
}

// vars are the values that expressions see.
func (p *Package) vars(o Options, id cluster.ServiceID, bound Bindings) map[string]any {
	native := o.native
	if native == nil {
		native = map[string]any{}
	}
	return map[string]any{
		rootOptions:           native,
		variable(rootPackage): map[string]any{"name": p.Meta.Name, "version": p.Meta.Version.String()},
		rootService:           map[string]any{"id": string(id)},
		rootBindings:          bound.values(),
		countsVariable:        map[string]any{},
	}
}

// Render gives the service for effective options. images maps the name of each
// of the package's own images to "host/repository@digest", bound says which
// service meets each requirement. Launch-time references stay in the strings of
// containers and of exports. Errors are of class Invalid.
func (p *Package) Render(o Options, id cluster.ServiceID, images map[string]string, bound Bindings) (cluster.ServiceSpec, error) {
	f := &faults{}
	if err := p.checkBindings(bound); err != nil {
		return cluster.ServiceSpec{}, err
	}
	if !validName(string(id), catalog.MaxNameBytes) {
		return cluster.ServiceSpec{}, problem.New(problem.Invalid, "service id %q: want a lower-case letter, then lower-case letters, digits and -, at most %d characters", clip(string(id)), catalog.MaxNameBytes)
	}
	d := &decoder{f: f, vars: p.vars(o, id, bound), acts: p.actions}
	d.vars[countsVariable] = d.counts(p.service)
	s := d.service(p.service, images)
	s.Runs = p.templates(d, images, s.Pods)
	s.ID, s.Package, s.Version = id, p.Meta.Name, p.Meta.Version.String()
	d.checkRefs(s.Pods, portsByPod(s.Pods))
	d.checkSize(s)
	if f.none() {
		p.checkRuntime(s, f)
	}
	return s, f.err(fmt.Sprintf("service %s of package %s %s", id, p.Meta.Name, p.Meta.Version))
}

// RenderNotes gives the text that is shown after an installation; "" when the
// package has none.
func (p *Package) RenderNotes(o Options, id cluster.ServiceID, bound Bindings) (string, error) {
	if p.notes == nil {
		return "", nil
	}
	f := &faults{}
	d := &decoder{f: f, vars: p.vars(o, id, bound)}
	s, _ := d.longStr(p.notes, false, MaxValueBytes)
	return s, f.err(fmt.Sprintf("notes of package %s %s", p.Meta.Name, p.Meta.Version))
}

// SchemaDigest is the digest of config.schema.json.
func (p *Package) SchemaDigest() string {
	sum := sha256.Sum256(p.Schema)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Config gives the config blob's content for the package and its built images.
// An image that is missing or not of the package is an error of class Invalid.
func (p *Package) Config(images []catalog.Image) (catalog.Config, error) {
	c := catalog.Config{ConfigVersion: catalog.ConfigVersion, Metadata: p.Meta, SchemaDigest: p.SchemaDigest(), Actions: p.Actions()}
	c.Images = slices.SortedFunc(slices.Values(images), func(a, b catalog.Image) int { return strings.Compare(a.Name, b.Name) })
	var names []string
	for _, img := range c.Images {
		if !catalog.ValidDigest(img.Digest) {
			return c, problem.New(problem.Invalid, "image %s of package %s has the digest %q", img.Name, p.Meta.Name, clip(img.Digest))
		}
		names = append(names, img.Name)
	}
	if !slices.Equal(names, p.Images) {
		return c, problem.New(problem.Invalid, "package %s has the images [%s], built are [%s]", p.Meta.Name, strings.Join(p.Images, " "), strings.Join(names, " ")).
			WithHint("build the images first: dcos package build")
	}
	return c, nil
}
