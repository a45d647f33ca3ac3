package api

import (
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/search"
	"github.com/universe-dcos/universe/internal/problem"
)

func (s *Server) search(c call) error {
	limit, err := c.number("limit")
	if err != nil {
		return err
	}
	offset, err := c.number("offset")
	if err != nil {
		return err
	}
	snap, err := s.snapshot(c)
	if err != nil {
		return err
	}
	q := c.r.URL.Query().Get("q")
	return c.reply(http.StatusOK, s.searchIndex(snap).Query(q, search.Options{Limit: limit, Offset: offset}))
}

// snapshot gives a fresh snapshot, or the last one when the registries cannot
// be read: a part of the catalog is better than none. It fails only when there
// is nothing at all.
func (s *Server) snapshot(c call) (*index.Snapshot, error) {
	snap, err := s.index.Fresh(c.r.Context())
	if err != nil && snap.Len() == 0 {
		return nil, problem.New(problem.Unavailable, "the catalog cannot be read: %w", err)
	}
	return snap, nil
}

// release finds the release that the path and ?version= name.
func (s *Server) release(c call) (*catalog.Package, *catalog.Release, error) {
	snap, err := s.snapshot(c)
	if err != nil {
		return nil, nil, err
	}
	return snap.Choose(c.r.PathValue("name"), c.r.URL.Query().Get("version"))
}

func (s *Server) content(c call) (*catalog.Package, *catalog.Release, *index.Content, error) {
	pkg, rel, err := s.release(c)
	if err != nil {
		return nil, nil, nil, err
	}
	content, err := s.index.Content(c.r.Context(), rel.Repository, rel.Digest)
	if err != nil {
		return nil, nil, nil, err
	}
	return pkg, rel, content, nil
}

// cached sets the headers of an answer that is determined by the release and
// reports whether the client has it.
func (c call) cached(rel *catalog.Release) bool {
	tag := `"` + rel.Digest + `"`
	c.w.Header().Set("ETag", tag)
	c.w.Header().Set("Cache-Control", "no-cache") // ask again: the version may be another
	if strings.Contains(c.r.Header.Get("If-None-Match"), tag) {
		c.w.WriteHeader(http.StatusNotModified)
		return true
	}
	return false
}

func (s *Server) detail(c call) error {
	pkg, rel, content, err := s.content(c)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, catalog.Detail{
		Package: content.Config.Metadata, Repository: rel.Repository, Digest: rel.Digest, Size: rel.Size,
		Images: content.Config.Images, Actions: content.Config.Actions, Versions: pkg.VersionInfos(),
		Readme: string(content.Spec.Readme), Changelog: string(content.Spec.Changelog), Schema: content.Spec.Schema,
	})
}

func (s *Server) options(c call) error {
	_, rel, content, err := s.content(c)
	if err != nil || c.cached(rel) {
		return err
	}
	c.w.Header().Set("Content-Type", "application/schema+json")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = c.w.Write(content.Spec.Schema) // the status is out
	return nil
}

func (s *Server) icon(c call) error {
	_, rel, content, err := s.content(c)
	if err != nil {
		return err
	}
	if len(content.Spec.Icon) == 0 {
		return problem.New(problem.NotFound, "package %s has no icon", rel.Package)
	}
	if c.cached(rel) {
		return nil
	}
	kind := map[string]string{".png": "image/png", ".svg": "image/svg+xml"}[path.Ext(content.Spec.Meta.Icon)]
	if kind == "" {
		return fmt.Errorf("icon %s of package %s has no known type", content.Spec.Meta.Icon, rel.Package)
	}
	c.w.Header().Set("Content-Type", kind)
	// A picture of a stranger: it may not run scripts or load anything.
	c.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = c.w.Write(content.Spec.Icon) // the status is out
	return nil
}
