package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/registry"
)

// Limits of an index.
const (
	// MaxReleases is how many versions of one package are kept; the oldest
	// beyond are left out.
	MaxReleases = 5_000
	// MaxPackages is how many repositories are read.
	MaxPackages = 200_000
)

// Source is a registry that can be listed. *server.Server is one.
type Source interface {
	// Repositories lists all repositories.
	Repositories(ctx context.Context) ([]string, error)
	// Repository gives one of them.
	Repository(name string) registry.Store
}

// Registry is a source and the host under which agents and people reach it.
type Registry struct {
	Host   string // "127.0.0.1:5000"
	Source Source
}

// Index follows one or more registries. Where two hold a version of the same
// name, the first registry's counts. It may be used by several goroutines.
type Index struct {
	registries []Registry
	log        *slog.Logger
	current    atomic.Pointer[Snapshot]
	contents   contents

	refreshing sync.Mutex // guards repos; held during a refresh
	repos      map[place]map[string]entry
	listed     atomic.Bool // all registries were listed once

	mu    sync.Mutex
	dirty map[place]bool
}

// place is a repository of one of the registries.
type place struct {
	registry int
	name     string
}

// entry is what is known of a tag.
type entry struct {
	digest  string
	retry   bool             // it could not be read now: read again next time
	release *catalog.Release // nil: no package
}

// New makes an index of registries, empty until the first Refresh or Fresh.
// log may be nil.
func New(log *slog.Logger, registries ...Registry) *Index {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	i := &Index{registries: registries, log: log, repos: map[place]map[string]entry{}, dirty: map[place]bool{}}
	i.current.Store(newSnapshot(0, map[string]*catalog.Package{}))
	return i
}

// Snapshot gives the newest snapshot without reading anything.
func (i *Index) Snapshot() *Snapshot { return i.current.Load() }

// Notify says that something was pushed to a repository of the registry with
// this host. It only takes a note, so a registry may call it while it answers a
// push; Fresh reads.
func (i *Index) Notify(host, repository string) {
	for n, r := range i.registries {
		if r.Host == host {
			i.mu.Lock()
			i.dirty[place{n, repository}] = true
			i.mu.Unlock()
		}
	}
}

// Fresh gives a snapshot that has everything of which Notify was told before.
// The first call, and every one until all registries were listed once, reads
// all. When something could not be read, the snapshot
// holds what is known and the error says what is missing; it is logged too.
func (i *Index) Fresh(ctx context.Context) (*Snapshot, error) {
	i.mu.Lock()
	idle := len(i.dirty) == 0
	i.mu.Unlock()
	if idle && i.listed.Load() {
		return i.current.Load(), nil
	}
	i.refreshing.Lock()
	defer i.refreshing.Unlock()
	if !i.listed.Load() {
		err := i.refreshAll(ctx)
		return i.current.Load(), err
	}
	i.mu.Lock()
	todo := i.dirty
	i.dirty = map[place]bool{}
	i.mu.Unlock()
	if len(todo) == 0 { // somebody else did it
		return i.current.Load(), nil
	}
	err := i.refresh(ctx, sortedPlaces(todo))
	return i.current.Load(), err
}

// Refresh lists all registries and reads what changed, for registries that send
// no events. Errors as of Fresh.
func (i *Index) Refresh(ctx context.Context) error {
	i.refreshing.Lock()
	defer i.refreshing.Unlock()
	return i.refreshAll(ctx)
}

func (i *Index) refreshAll(ctx context.Context) error {
	i.mu.Lock()
	i.dirty = map[place]bool{}
	i.mu.Unlock()
	there := map[place]bool{}
	var errs []error
	for n, r := range i.registries {
		names, err := r.Source.Repositories(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("list the repositories of registry %s: %w", r.Host, err))
			continue
		}
		for _, name := range names[:min(len(names), MaxPackages)] {
			there[place{n, name}] = true
		}
	}
	for p := range i.repos {
		there[p] = true // a repository that is gone is visited too, and found empty
	}
	err := i.refresh(ctx, sortedPlaces(there))
	if len(errs) == 0 {
		i.listed.Store(true)
	}
	return errors.Join(append(errs, err)...)
}

func sortedPlaces(set map[place]bool) []place {
	return slices.SortedFunc(maps.Keys(set), func(a, b place) int {
		if a.registry != b.registry {
			return a.registry - b.registry
		}
		return strings.Compare(a.name, b.name)
	})
}

// refresh reads the given repositories and publishes a snapshot if anything
// changed.
func (i *Index) refresh(ctx context.Context, places []place) error {
	changed := map[string]bool{} // names of packages
	var errs []error
	for n, p := range places {
		moved, err := i.readRepository(ctx, p)
		if cause := context.Cause(ctx); cause != nil {
			i.postpone(places[n:])
			errs = append(errs, cause)
			break
		}
		if err != nil {
			i.log.Warn("catalog cannot read a repository", "registry", i.registries[p.registry].Host, "repository", p.name, "err", err)
			errs = append(errs[:min(len(errs), 8)], err)
		}
		if moved {
			changed[path.Base(p.name)] = true
		}
	}
	if old := i.current.Load(); len(changed) > 0 || old.Serial == 0 {
		i.publish(old, changed)
	}
	return errors.Join(errs...)
}

// postpone leaves repositories to the next refresh.
func (i *Index) postpone(places []place) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, p := range places {
		i.dirty[p] = true
	}
}

// publish makes a snapshot in which the packages of the given names are built
// anew and all others are shared with the old one.
func (i *Index) publish(old *Snapshot, changed map[string]bool) {
	packages := maps.Clone(old.packages)
	byName := map[string][]place{}
	for p := range i.repos {
		if name := path.Base(p.name); changed[name] {
			byName[name] = append(byName[name], p)
		}
	}
	for name := range changed {
		if pkg := i.assemble(name, byName[name]); pkg != nil {
			packages[name] = pkg
		} else {
			delete(packages, name)
		}
	}
	s := newSnapshot(old.Serial+1, packages)
	i.current.Store(s)
	i.log.Info("catalog changed", "serial", s.Serial, "packages", s.Len(), "changed", len(changed))
}

// assemble collects the releases of one name from its repositories, the first
// registry first. It is nil when there are none.
func (i *Index) assemble(name string, places []place) *catalog.Package {
	pkg := &catalog.Package{Name: name}
	seen := map[string]bool{}
	slices.SortFunc(places, func(a, b place) int {
		if a.registry != b.registry {
			return a.registry - b.registry
		}
		return strings.Compare(a.name, b.name)
	})
	for _, p := range places {
		for _, tag := range slices.Sorted(maps.Keys(i.repos[p])) {
			r := i.repos[p][tag].release
			if r == nil || seen[r.Version.String()] {
				continue
			}
			seen[r.Version.String()] = true
			pkg.Releases = append(pkg.Releases, *r)
		}
	}
	if len(pkg.Releases) == 0 {
		return nil
	}
	slices.SortFunc(pkg.Releases, newest)
	pkg.Releases = pkg.Releases[:min(len(pkg.Releases), MaxReleases)]
	return pkg
}
