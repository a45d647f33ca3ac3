package index

import (
	"container/list"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry/artifact"
)

// MaxContents is how many loaded packages are kept in memory.
const MaxContents = 64

// Content is the whole of a release: its source, loaded, and its config.
type Content struct {
	Spec   *spec.Package
	Config catalog.Config
	Images map[string]string // name -> "host/repository@digest"
}

// Content pulls and loads the release that an artifact digest names in a
// repository ("host/path"). The release need not be in a snapshot any more: an
// installation keeps working with its digest. Errors: NotFound, Invalid when
// the package is broken, and those of the registry.
func (i *Index) Content(ctx context.Context, repository, digest string) (*Content, error) {
	key := repository + "@" + digest
	if c := i.contents.get(key); c != nil {
		return c, nil
	}
	host, name, _ := strings.Cut(repository, "/")
	for _, r := range i.registries {
		if r.Host != host {
			continue
		}
		pkg, err := artifact.Pull(ctx, r.Source.Repository(name), digest)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", key, err)
		}
		c, err := load(pkg, repository)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", key, err)
		}
		i.contents.put(key, c)
		return c, nil
	}
	return nil, problem.New(problem.NotFound, "package %s: the catalog follows no registry %s", key, host)
}

func load(pkg *artifact.Package, repository string) (*Content, error) {
	config, err := catalog.DecodeConfig(pkg.Config())
	if err != nil {
		return nil, err
	}
	p, err := spec.Load(pkg.Content())
	if err != nil {
		return nil, err
	}
	// The solver decided by the config: it must be the one of this content.
	again, err := p.Config(config.Images)
	if err != nil {
		return nil, err
	}
	have, err := catalog.Digest(config)
	if err != nil {
		return nil, err
	}
	want, err := catalog.Digest(again)
	if err != nil {
		return nil, err
	}
	if have != want {
		return nil, problem.New(problem.Invalid, "the artifact's config is not that of its content")
	}
	c := &Content{Spec: p, Config: config, Images: map[string]string{}}
	for _, img := range config.Images {
		c.Images[img.Name] = catalog.ImageRepository(repository, img.Name) + "@" + img.Digest
	}
	return c, nil
}

// contents keeps the loaded packages that were used last. The zero value works.
type contents struct {
	mu    sync.Mutex
	order list.List // of *cached, the last used first
	byKey map[string]*list.Element
}

type cached struct {
	key string
	val *Content
}

func (c *contents) get(key string) *Content {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).val
}

func (c *contents) put(key string, val *Content) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[string]*list.Element{}
	}
	if e := c.byKey[key]; e != nil {
		e.Value.(*cached).val = val
		return
	}
	c.byKey[key] = c.order.PushFront(&cached{key, val})
	for c.order.Len() > MaxContents {
		last := c.order.Back()
		delete(c.byKey, last.Value.(*cached).key)
		c.order.Remove(last)
	}
}
