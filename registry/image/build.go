package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/universe-dcos/universe/internal/problem"
)

// layerFormat is part of every cache key: raise it when the same recipe is to
// give other bytes.
const layerFormat = 2

// Options are the circumstances of a build. The zero value is usable.
type Options struct {
	// CacheDir keeps finished layers; $XDG_CACHE_HOME/universe/layers (or
	// ~/.cache/universe/layers) if empty. It needs as much room again as the
	// largest layer while that is built.
	CacheDir string
	// Refresh builds layers even if they are in the cache, to take in new
	// versions of Debian packages.
	Refresh bool
	// Time is the time of every file and of the image; if zero, that of the
	// environment variable SOURCE_DATE_EPOCH (seconds since 1970), else 1970.
	Time time.Time
	// Progress, if set, is told how far the build is. Calls do not overlap.
	Progress func(Event)
	// Logger gets retries at level Warn and finished layers at Info; silent if nil.
	Logger *slog.Logger
}

// builder is one run of Build.
type builder struct {
	recipe   *Recipe
	cache    cache
	refresh  bool
	at       time.Time
	pause    time.Duration // before a second try
	work     string        // a folder of this run's own, removed at its end
	progress *progress
	log      *slog.Logger
	done     []*layer          // the layers below the one being built
	jdks     map[string]string // unpacked JDKs by package
}

// Build makes the image. It fetches what the layers not in the cache need. The
// image reads its layers from the cache: keep the folder while the image is used.
func (r *Recipe) Build(ctx context.Context, o Options) (v1.Image, error) {
	b, err := r.builder(o)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.work)
	for i := range r.Layers {
		l, err := b.layer(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("image %s: layer %d (%s): %w", r.path, i, r.Layers[i].title(), err)
		}
		b.done = append(b.done, l)
	}
	return b.image()
}

func (r *Recipe) builder(o Options) (*builder, error) {
	b := &builder{recipe: r, refresh: o.Refresh, at: o.Time, progress: &progress{tell: o.Progress}, log: o.Logger, pause: retryAfter,
		jdks: map[string]string{}}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.at.IsZero() {
		b.at = time.Unix(0, 0)
		if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < 0 {
				return nil, problem.New(problem.Invalid, "SOURCE_DATE_EPOCH is %q and not a number of seconds", s)
			}
			b.at = time.Unix(n, 0)
		}
	}
	b.at = b.at.UTC().Truncate(time.Second)
	dir := o.CacheDir
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, problem.New(problem.Invalid, "no folder for the layer cache: %w", err).
				WithHint("set HOME or XDG_CACHE_HOME")
		}
		dir = filepath.Join(base, "universe", "layers")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("layer cache: %w", err)
	}
	b.cache = cache{dir}
	// Beside the blobs, as /tmp may be small or in memory.
	if b.work, err = os.MkdirTemp(dir, ".build-*"); err != nil {
		return nil, fmt.Errorf("layer cache: %w", err)
	}
	return b, nil
}

// image puts the finished layers together.
func (b *builder) image() (v1.Image, error) {
	r := b.recipe
	osName, arch, _ := strings.Cut(r.Platform, "/")
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = osName, arch
	cf.Created = v1.Time{Time: b.at}
	cf.Config = v1.Config{User: r.User, WorkingDir: r.Workdir}
	if cf.Config.WorkingDir == "" {
		cf.Config.WorkingDir = "/"
	}
	for _, name := range sortedKeys(r.Env) {
		cf.Config.Env = append(cf.Config.Env, name+"="+r.Env[name])
	}
	if img, err = mutate.ConfigFile(img, cf); err != nil {
		return nil, err
	}
	for _, l := range b.done {
		img, err = mutate.Append(img, mutate.Addendum{Layer: l, MediaType: types.OCILayerZStd,
			History: v1.History{Created: v1.Time{Time: b.at}, CreatedBy: strings.Join(l.Origins, "; ")}})
		if err != nil {
			return nil, err
		}
	}
	return img, nil
}

// layer finds layer i in the cache or builds it.
func (b *builder) layer(ctx context.Context, i int) (*layer, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	l := &b.recipe.Layers[i]
	b.progress.layer(i+1, len(b.recipe.Layers))
	key, err := b.key(l)
	if err != nil {
		return nil, err
	}
	if !b.refresh {
		switch found, err := b.cache.find(key); {
		case err != nil:
			return nil, err
		case found != nil:
			b.progress.set(l.title(), PhaseCached, found.record.Size, found.record.Size)
			return found, nil
		}
	}
	s, err := newSpool(b.work)
	if err != nil {
		return nil, err
	}
	defer s.close()
	m := &maker{builder: b, layer: l, tree: newTree(), spool: s}
	if err := m.sources(ctx); err != nil {
		return nil, err
	}
	total := m.tree.bytes
	b.progress.set(l.title(), PhasePack, 0, total)
	built, err := b.cache.put(key, m.tree, b.at, m.origins, func(n int64) {
		b.progress.set(l.title(), PhasePack, n, total)
	})
	if err != nil {
		return nil, err
	}
	b.progress.set(l.title(), PhaseDone, built.record.Size, built.record.Size)
	b.log.Info("layer built", "layer", l.title(), "digest", built.record.Digest.String(),
		"files", built.Files, "bytes", built.Content, "compressed", built.record.Size)
	return built, nil
}

// key is the digest of all that decides a layer's content, Debian versions aside.
func (b *builder) key(l *Layer) (string, error) {
	type keyed struct {
		Format   int
		Platform string
		Time     int64
		Layer    Layer
		Local    map[string]string // digests of the recipe's own files
		Below    []string          // layers on the class path
	}
	k := keyed{Format: layerFormat, Platform: b.recipe.Platform, Time: b.at.Unix(), Layer: *l}
	var err error
	if k.Local, err = l.localDigests(); err != nil {
		return "", err
	}
	if l.Java != nil && l.Java.Classpath != "" {
		for _, below := range b.done {
			k.Below = append(k.Below, below.record.DiffID.String())
		}
	}
	data, err := json.Marshal(k) // maps are written sorted
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// title names a layer for people.
func (l *Layer) title() string {
	var parts []string
	if s := l.Debian; s != nil {
		parts = append(parts, fmt.Sprintf("debian %s", ellipsis(s.Packages)))
	}
	if s := l.Jlink; s != nil {
		parts = append(parts, "jlink "+s.Package)
	}
	if s := l.PyPI; s != nil {
		parts = append(parts, "pypi "+s.Name+" "+s.Version)
	}
	if s := l.Maven; s != nil {
		parts = append(parts, "maven "+s.POM)
	}
	if s := l.Java; s != nil {
		parts = append(parts, "java "+ellipsis(s.Sources))
	}
	if len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("%d files", len(l.Files)))
	}
	return strings.Join(parts, " + ")
}

func ellipsis(items []string) string {
	if len(items) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(items[:2], " "), len(items)-2)
	}
	return strings.Join(items, " ")
}

// maker builds one layer.
type maker struct {
	*builder
	layer   *Layer
	tree    *tree
	spool   *spool
	origins []string
}

// sources lays the sources of the layer over each other.
func (m *maker) sources(ctx context.Context) error {
	l := m.layer
	steps := []struct {
		on   bool
		name string
		run  func(context.Context) error
	}{
		{l.Debian != nil, "debian", m.debian},
		{l.Jlink != nil, "jlink", m.jlink},
		{l.PyPI != nil, "pypi", m.pypi},
		{l.Maven != nil, "maven", m.maven},
		{l.Java != nil, "java", m.java},
		{len(l.Files) > 0, "files", m.files},
	}
	for _, s := range steps {
		if !s.on {
			continue
		}
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// temp makes a folder for one step.
func (b *builder) temp(name string) (string, error) {
	dir, err := os.MkdirTemp(b.work, name+"-*")
	if err != nil {
		return "", fmt.Errorf("work folder: %w", err)
	}
	return dir, nil
}
