package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/universe-dcos/universe/registry"
)

// handler answers one request; the error it returns becomes the answer, so it
// has written nothing when it fails.
type handler func(w http.ResponseWriter, r *http.Request, rt route) error

// endpoint is what one method does at one kind of address.
type endpoint struct {
	verb   string // what the authorizer is asked for
	handle handler
}

// methods are the endpoints at one kind of address, by HTTP method.
type methods map[string]endpoint

// endpoints is the table of distribution-spec 1.1, "Endpoints".
func (s *Server) endpoints() map[routeKind]methods {
	return map[routeKind]methods{
		routeBase:      reading(VerbPing, s.handleBase),
		routeCatalog:   reading(VerbCatalog, s.handleCatalog),
		routeExtension: reading(VerbPing, s.handleExtensions),
		routeTags:      reading(VerbPull, s.handleTags),
		routeReferrers: reading(VerbPull, s.handleReferrers),
		routeBlob:      reading(VerbPull, s.handleGetBlob).and(http.MethodDelete, VerbDelete, s.handleDeleteBlob),
		routeManifest: reading(VerbPull, s.handleGetManifest).
			and(http.MethodPut, VerbPush, s.handlePutManifest).
			and(http.MethodDelete, VerbDelete, s.handleDeleteManifest),
		routeUploads: methods{}.and(http.MethodPost, VerbPush, s.handleStartUpload),
		routeUpload: methods{}.and(http.MethodGet, VerbPush, s.handleUploadStatus).
			and(http.MethodPatch, VerbPush, s.handleUploadChunk).
			and(http.MethodPut, VerbPush, s.handleFinishUpload).
			and(http.MethodDelete, VerbPush, s.handleCancelUpload),
	}
}

func reading(verb string, h handler) methods {
	return methods{}.and(http.MethodGet, verb, h).and(http.MethodHead, verb, h)
}

func (m methods) and(method, verb string, h handler) methods {
	m[method] = endpoint{verb: verb, handle: h}
	return m
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, rt route) error {
	here := s.routes[rt.kind]
	e, ok := here[r.Method]
	if !ok {
		allowed := slices.Sorted(maps.Keys(here))
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return fail(http.StatusMethodNotAllowed, codeUnsupported, "method %s is not supported here", r.Method)
	}
	if err := s.authorize(r, e.verb, rt.name); err != nil {
		return err
	}
	return e.handle(w, r, rt)
}

func (s *Server) handleBase(w http.ResponseWriter, _ *http.Request, _ route) error {
	return s.writeJSON(w, "application/json", struct{}{})
}

// handleExtensions lists no extensions (distribution-spec extensions,
// "_oci/ext/discover").
func (s *Server) handleExtensions(w http.ResponseWriter, _ *http.Request, _ route) error {
	return s.writeJSON(w, "application/json", map[string][]string{"extensions": {}})
}

func (s *Server) writeJSON(w http.ResponseWriter, mediaType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // nobody is left to tell when the client went away
	return nil
}

// digestRef reads the digest in an address.
func digestRef(rt route) (digest.Digest, error) {
	return parseDigest(rt.ref)
}

func parseDigest(s string) (digest.Digest, error) {
	d, err := registry.ParseDigest(s)
	if err != nil {
		return "", fail(http.StatusBadRequest, codeDigestInvalid, "%w", err)
	}
	return d, nil
}

// pageSize reads n, the entries a client wants at most.
func (s *Server) pageSize(q url.Values) (int, error) {
	if !q.Has("n") {
		return s.limits.Page, nil
	}
	n, err := strconv.Atoi(q.Get("n"))
	if err != nil || n < 0 {
		return 0, fail(http.StatusBadRequest, codeUnsupported, "n=%q is not a number of entries", q.Get("n"))
	}
	return min(n, s.limits.Page), nil
}

// linkNext points at the next page (RFC 8288).
func linkNext(w http.ResponseWriter, path string, q url.Values) {
	u := url.URL{Path: path, RawQuery: q.Encode()}
	w.Header().Set("Link", "<"+u.String()+`>; rel="next"`)
}

func (s *Server) handleCatalog(w http.ResponseWriter, r *http.Request, _ route) error {
	return s.handleList(w, r, "/v2/_catalog", func(last string, n int) (any, []string, bool, error) {
		names, more, err := s.repositories(last, n)
		return map[string][]string{"repositories": names}, names, more, err
	})
}

func (s *Server) handleTags(w http.ResponseWriter, r *http.Request, rt route) error {
	return s.handleList(w, r, "/v2/"+rt.name+"/tags/list", func(last string, n int) (any, []string, bool, error) {
		tags, more, err := s.tags(rt.name, last, n)
		return struct {
			Name string   `json:"name"`
			Tags []string `json:"tags"`
		}{rt.name, tags}, tags, more, err
	})
}

// handleList answers one page of a list, with a link to the next if there is
// one.
func (s *Server) handleList(w http.ResponseWriter, r *http.Request, path string,
	page func(last string, n int) (body any, names []string, more bool, err error),
) error {
	q := r.URL.Query()
	n, err := s.pageSize(q)
	if err != nil {
		return err
	}
	body, names, more, err := page(q.Get("last"), n)
	if err != nil {
		return err
	}
	if more {
		linkNext(w, path, url.Values{"n": {strconv.Itoa(n)}, "last": {names[len(names)-1]}})
	}
	return s.writeJSON(w, "application/json", body)
}

// tags is one page of a repository's tags.
func (s *Server) tags(name, last string, n int) (tags []string, more bool, err error) {
	err = s.meta.View(func(tx MetaTx) (err error) {
		if err = checkRepository(tx, name); err != nil {
			return err
		}
		tags, more, err = list(tx, TableTags, within(name), last, n)
		return err
	})
	return tags, more, err
}

// repositories is one page of the names.
func (s *Server) repositories(last string, n int) (names []string, more bool, err error) {
	err = s.meta.View(func(tx MetaTx) (err error) {
		names, more, err = list(tx, TableRepositories, nil, last, n)
		return err
	})
	return names, more, err
}
