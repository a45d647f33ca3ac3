package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/opencontainers/go-digest"

	"github.com/universe-dcos/universe/registry"
)

// handleStartUpload answers POST: a mount, a blob in one request, or a new
// session.
func (s *Server) handleStartUpload(w http.ResponseWriter, r *http.Request, rt route) error {
	q := r.URL.Query()
	if q.Has("mount") {
		if done, err := s.tryMount(w, r, rt, q); done || err != nil {
			return err
		}
	} else if q.Has("digest") {
		return s.handleSinglePost(w, r, rt, q.Get("digest"))
	}
	alg := digest.SHA256
	if q.Has("digest-algorithm") {
		alg = digest.Algorithm(q.Get("digest-algorithm"))
		if alg != digest.SHA256 && alg != digest.SHA512 {
			return fail(http.StatusBadRequest, codeDigestInvalid, "digest algorithm %q is not sha256 or sha512", string(alg))
		}
	}
	if err := s.checkSpace(-1); err != nil {
		return err
	}
	u, err := s.sessions.start(r.Context(), rt.name, alg)
	if err != nil {
		return err
	}
	setSessionHeaders(w, rt.name, u.id, 0)
	setLength(w, 0)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// tryMount links a blob from another repository. When it cannot, whatever the
// reason, the answer is a new session, so that nobody learns what a repository
// holds that they may not read.
func (s *Server) tryMount(w http.ResponseWriter, r *http.Request, rt route, q url.Values) (bool, error) {
	d, err := parseDigest(q.Get("mount"))
	if err != nil {
		return false, err
	}
	sources := []string{q.Get("from")}
	if sources[0] == "" {
		if sources, err = s.holders(d); err != nil {
			return false, err
		}
	}
	for _, from := range sources {
		if registry.ValidateRepository(from) != nil || s.authorize(r, VerbPull, from) != nil {
			continue
		}
		mounted, err := s.mountBlob(r.Context(), rt.name, from, d)
		if err != nil {
			return false, err
		}
		if mounted {
			blobCreated(w, rt.name, d)
			return true, nil
		}
	}
	return false, nil
}

// holders lists some repositories that have a blob.
func (s *Server) holders(d digest.Digest) (names []string, err error) {
	err = s.meta.View(func(tx MetaTx) (err error) {
		names, _, err = list(tx, TableHolders, within(d.String()), "", MaxMountSources)
		return err
	})
	return names, err
}

func (s *Server) handleSinglePost(w http.ResponseWriter, r *http.Request, rt route, want string) error {
	d, err := parseDigest(want)
	if err != nil {
		return err
	}
	if err := s.putBlob(r.Context(), rt.name, d, r.ContentLength, r.Body); err != nil {
		return err
	}
	blobCreated(w, rt.name, d)
	return nil
}

func (s *Server) handleUploadStatus(w http.ResponseWriter, _ *http.Request, rt route) error {
	u, err := s.sessions.take(rt.name, rt.ref)
	if err != nil {
		return err
	}
	defer s.sessions.release(u)
	setSessionHeaders(w, rt.name, u.id, u.offset)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) handleCancelUpload(w http.ResponseWriter, r *http.Request, rt route) error {
	u, err := s.sessions.take(rt.name, rt.ref)
	if err != nil {
		return err
	}
	defer s.sessions.release(u)
	s.endSession(r.Context(), u)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// handleUploadChunk answers PATCH, with a Content-Range or as a stream.
func (s *Server) handleUploadChunk(w http.ResponseWriter, r *http.Request, rt route) error {
	u, err := s.sessions.take(rt.name, rt.ref)
	if err != nil {
		return err
	}
	defer s.sessions.release(u)
	if err := s.receive(w, r, rt, u); err != nil {
		return err
	}
	setSessionHeaders(w, rt.name, u.id, u.offset)
	setLength(w, 0)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// handleFinishUpload answers PUT: perhaps a last chunk, then the digest. When
// the digest is wrong the session is as it was before, and may be finished
// again.
func (s *Server) handleFinishUpload(w http.ResponseWriter, r *http.Request, rt route) error {
	d, err := parseDigest(r.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	u, err := s.sessions.take(rt.name, rt.ref)
	if err != nil {
		return err
	}
	defer s.sessions.release(u)
	if u.offset == 0 && isSmall(r.ContentLength) && r.Header.Get("Content-Range") == "" {
		data, err := readSmallBlob(r.Body, r.ContentLength, d)
		if err == nil {
			err = s.putSmallBlob(rt.name, d, data)
		}
		if err != nil {
			return err
		}
		s.endSession(r.Context(), u)
		blobCreated(w, rt.name, d)
		return nil
	}
	if err := s.receiveLast(w, r, rt, u, d); err != nil {
		return err
	}
	// From here on the client's patience does not matter: the bytes are here.
	err = s.commitBlob(context.WithoutCancel(r.Context()), rt.name, u.id, u.offset, d)
	s.endSession(r.Context(), u) // when the commit failed too: the bytes may have moved
	if err != nil {
		return err
	}
	blobCreated(w, rt.name, d)
	return nil
}

// endSession forgets an upload and what is left of its bytes.
func (s *Server) endSession(ctx context.Context, u *session) {
	s.sessions.end(u)
	if err := s.blobs.Abort(context.WithoutCancel(ctx), u.id); err != nil {
		s.log.Warn("ended upload not dropped", "upload", u.id, "err", err)
	}
}

// receiveLast adds the last chunk, if there is one, and checks the whole. When
// that fails, the upload is as it was before.
func (s *Server) receiveLast(w http.ResponseWriter, r *http.Request, rt route, u *session, d digest.Digest) error {
	before := u.offset
	if before == 0 && u.alg != d.Algorithm() {
		u.alg, u.hash = d.Algorithm(), nil // nothing was read yet: no second read for it
	}
	if err := s.receive(w, r, rt, u); err != nil {
		return err
	}
	is, err := u.digest(r.Context(), s.blobs, d.Algorithm())
	if err == nil {
		err = checkContent(d, -1, is, u.offset)
	}
	if err != nil && u.offset != before {
		u.offset, u.hash = before, nil
	}
	return err
}

// receive adds a request's body to an upload that the caller holds. Bytes that
// came before a failure are kept, so that a client can go on from there.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, rt route, u *session) error {
	length := r.ContentLength
	if cr := r.Header.Get("Content-Range"); cr != "" {
		first, last, err := parseContentRange(cr)
		if err != nil {
			return err
		}
		if first != u.offset {
			setSessionHeaders(w, rt.name, u.id, u.offset)
			return fail(http.StatusRequestedRangeNotSatisfiable, codeBlobUploadInvalid, "chunk starts at %d, and the upload holds %d bytes", first, u.offset)
		}
		if n := last - first + 1; length >= 0 && n != length {
			return fail(http.StatusBadRequest, codeSizeInvalid, "Content-Range %s has %d bytes and Content-Length says %d", cr, n, length)
		}
		length = last - first + 1
	}
	if length == 0 {
		return nil
	}
	if err := s.checkSpace(length); err != nil {
		return err
	}
	n, err := u.write(r.Context(), s.blobs, r.Body, s.limits.BlobBytes)
	if err != nil {
		return fmt.Errorf("receive upload: %w", err)
	}
	if length >= 0 && n != length {
		return fail(http.StatusBadRequest, codeSizeInvalid, "chunk has %d bytes, not the %d announced", n, length)
	}
	return nil
}

var contentRangeRE = regexp.MustCompile(`^([0-9]{1,18})-([0-9]{1,18})$`)

// parseContentRange reads the form of distribution-spec 1.1: first and last
// byte, inclusive, without a unit.
func parseContentRange(v string) (first, last int64, err error) {
	m := contentRangeRE.FindStringSubmatch(v)
	if m == nil {
		return 0, 0, fail(http.StatusBadRequest, codeBlobUploadInvalid, "Content-Range %q is not <first>-<last>", v)
	}
	first, ferr := strconv.ParseInt(m[1], 10, 64)
	last, lerr := strconv.ParseInt(m[2], 10, 64)
	if ferr != nil || lerr != nil || last < first {
		return 0, 0, fail(http.StatusBadRequest, codeBlobUploadInvalid, "Content-Range %q is not <first>-<last>", v)
	}
	return first, last, nil
}

// setSessionHeaders tells where an upload goes on and what it holds. The
// address has no host: proxies may stand between.
func setSessionHeaders(w http.ResponseWriter, name, id string, offset int64) {
	h := w.Header()
	h.Set("Location", "/v2/"+name+"/blobs/uploads/"+id)
	h.Set("Range", "0-"+strconv.FormatInt(max(offset-1, 0), 10))
	h.Set("Docker-Upload-UUID", id)
}

func blobCreated(w http.ResponseWriter, name string, d digest.Digest) {
	h := w.Header()
	h.Set("Location", "/v2/"+name+"/blobs/"+d.String())
	h.Set("Docker-Content-Digest", d.String())
	setLength(w, 0)
	w.WriteHeader(http.StatusCreated)
}

func setLength(w http.ResponseWriter, n int64) {
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
}
