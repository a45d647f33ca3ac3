package server

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry"
)

// checkReference refuses what is neither a tag nor a digest. Something with a
// colon was meant as a digest.
func checkReference(reference string) error {
	if strings.Contains(reference, ":") {
		_, err := parseDigest(reference)
		return err
	}
	if registry.ValidateTag(reference) != nil {
		return unknownManifest(reference)
	}
	return nil
}

// handleGetManifest answers GET and HEAD with the stored bytes, whatever the
// client says it accepts: another form would have another digest.
func (s *Server) handleGetManifest(w http.ResponseWriter, r *http.Request, rt route) error {
	if err := checkReference(rt.ref); err != nil {
		return err
	}
	var raw []byte
	var d digest.Digest
	var rec manifestRecord
	var err error
	if r.Method == http.MethodHead {
		d, rec, err = s.statManifest(rt.name, rt.ref)
	} else {
		raw, d, rec, err = s.readManifest(r.Context(), rt.name, rt.ref)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	etag := `"` + d.String() + `"`
	h.Set("Docker-Content-Digest", d.String())
	h.Set("ETag", etag)
	if slices.Contains(splitList(r.Header.Get("If-None-Match")), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", rec.MediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	setLength(w, rec.Size)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(raw) // nobody is left to tell when the client went away
	return nil
}

func splitList(v string) []string {
	parts := strings.Split(v, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func (s *Server) handlePutManifest(w http.ResponseWriter, r *http.Request, rt route) error {
	tags, want, err := putTarget(rt.ref, r.URL.Query())
	if err != nil {
		return err
	}
	cond, err := parseCondition(r.Header)
	if err != nil {
		return err
	}
	raw, err := s.readManifestBody(w, r)
	if err != nil {
		return err
	}
	d := want
	if want == "" {
		d = digest.FromBytes(raw)
	} else if is := want.Algorithm().FromBytes(raw); is != want {
		return fail(http.StatusBadRequest, codeDigestInvalid, "manifest has digest %s, not %s", is, want)
	}
	m, err := parseManifest(r.Header.Get("Content-Type"), raw, d)
	if err != nil {
		return err
	}
	if err := s.putManifest(r.Context(), rt.name, m, tags, cond); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Location", "/v2/"+rt.name+"/manifests/"+d.String())
	h.Set("Docker-Content-Digest", d.String())
	if m.subject != nil {
		h.Set("OCI-Subject", m.subject.Digest.String())
	}
	if want != "" && len(tags) > 0 {
		h.Set("OCI-Tag", strings.Join(tags, ", "))
	}
	setLength(w, 0)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// putTarget gives the tags that a PUT sets and the digest it names: the
// address has one of them, and beside a digest the query may have tags.
func putTarget(reference string, q url.Values) (tags []string, want digest.Digest, err error) {
	if !strings.Contains(reference, ":") {
		tags = []string{reference}
	} else if want, err = parseDigest(reference); err != nil {
		return nil, "", err
	} else {
		tags = q["tag"]
	}
	if len(tags) > MaxTagsPerPut {
		return nil, "", fail(http.StatusRequestURITooLong, codeUnsupported, "a manifest is put under at most %d tags at a time", MaxTagsPerPut)
	}
	for _, t := range tags {
		if err := registry.ValidateTag(t); err != nil {
			return nil, "", invalidManifest("%w", err)
		}
	}
	return tags, want, nil
}

// parseCondition reads If-Match: "<digest>" and If-None-Match: *, by which a
// client makes sure that nobody moved the tag since it looked.
func parseCondition(h http.Header) (condition, error) {
	var c condition
	if v := h.Get("If-Match"); v != "" {
		d, err := registry.ParseDigest(strings.Trim(v, `"`))
		if err != nil {
			return c, fail(http.StatusBadRequest, codeUnsupported, "If-Match %q is not one quoted digest", v)
		}
		c.match = d
	}
	if v := h.Get("If-None-Match"); v != "" {
		if v != "*" {
			return c, fail(http.StatusBadRequest, codeUnsupported, "If-None-Match %q is not *", v)
		}
		c.noneMatch = true
	}
	return c, nil
}

func (s *Server) readManifestBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > s.limits.ManifestBytes {
		return nil, s.manifestTooLarge()
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, s.limits.ManifestBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > s.limits.ManifestBytes {
		w.Header().Set("Connection", "close") // the rest is not worth reading
		return nil, s.manifestTooLarge()
	}
	return raw, nil
}

func (s *Server) manifestTooLarge() error {
	return fail(http.StatusRequestEntityTooLarge, codeManifestInvalid, "manifest is larger than %d bytes", s.limits.ManifestBytes)
}

// handleDeleteManifest removes a tag alone, or a manifest with all its tags.
func (s *Server) handleDeleteManifest(w http.ResponseWriter, _ *http.Request, rt route) error {
	if err := checkReference(rt.ref); err != nil {
		return err
	}
	err := s.meta.Update(func(tx MetaTx) error {
		if d, err := registry.ParseDigest(rt.ref); err == nil {
			return deleteManifest(tx, rt.name, d)
		}
		return deleteTag(tx, rt.name, rt.ref)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// handleReferrers answers with an index, empty for a subject that is not
// known: 404 would say that there is no such API.
func (s *Server) handleReferrers(w http.ResponseWriter, r *http.Request, rt route) error {
	d, err := digestRef(rt)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	artifactType := q.Get("artifactType")
	found, more, err := s.referrers(rt.name, d, artifactType, q.Get("last"), MaxReferrersBytes)
	if err != nil {
		return err
	}
	if artifactType != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	if more {
		next := url.Values{"last": {found[len(found)-1].Digest.String()}}
		if artifactType != "" {
			next.Set("artifactType", artifactType)
		}
		linkNext(w, "/v2/"+rt.name+"/referrers/"+d.String(), next)
	}
	return s.writeJSON(w, ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: found,
	})
}
