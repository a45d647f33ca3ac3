package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"
)

// commitBlob makes the bytes of an upload blob d of a repository. The caller
// has checked them. First the bytes are durable, then the link is.
func (s *Server) commitBlob(ctx context.Context, name, id string, size int64, d digest.Digest) error {
	if err := s.blobs.Commit(ctx, id, size, d); err != nil {
		return err
	}
	link := linkRecord{Size: size, Linked: now()}
	return s.meta.Update(func(tx MetaTx) error { return linkBlob(tx, name, d, link) })
}

// putSmallBlob stores a blob that was read whole and checked, without a file:
// bytes and link are durable in one transaction.
func (s *Server) putSmallBlob(name string, d digest.Digest, data []byte) error {
	link := linkRecord{Size: int64(len(data)), Linked: now(), Inline: true}
	return s.meta.Update(func(tx MetaTx) error {
		if err := tx.Put(TableBodies, []byte(d), data); err != nil {
			return err
		}
		return linkBlob(tx, name, d, link)
	})
}

// readSmallBlob reads a body of n bytes and checks it.
func readSmallBlob(body io.Reader, n int64, d digest.Digest) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, n+1))
	if err != nil {
		return nil, fmt.Errorf("receive blob: %w", err)
	}
	return data, checkContent(d, n, d.Algorithm().FromBytes(data), int64(len(data)))
}

func isSmall(size int64) bool { return size >= 0 && size <= MaxInlineBlobBytes }

// putBlob stores a blob that comes in one piece; size is -1 when the sender
// did not say.
func (s *Server) putBlob(ctx context.Context, name string, d digest.Digest, size int64, body io.Reader) error {
	if err := s.checkSpace(size); err != nil {
		return err
	}
	if isSmall(size) {
		data, err := readSmallBlob(body, size, d)
		if err != nil {
			return err
		}
		return s.putSmallBlob(name, d, data)
	}
	u := &session{id: newSessionID(name), alg: d.Algorithm(), hash: newHash(d.Algorithm())}
	n, err := u.write(ctx, s.blobs, body, s.limits.BlobBytes)
	if err == nil {
		err = checkContent(d, size, digest.NewDigest(u.alg, u.hash), n)
	}
	if err == nil {
		err = s.commitBlob(ctx, name, u.id, n, d)
	}
	if err != nil {
		if aerr := s.blobs.Abort(context.WithoutCancel(ctx), u.id); aerr != nil {
			s.log.Warn("failed upload not dropped", "upload", u.id, "err", aerr)
		}
	}
	return err
}

func checkContent(want digest.Digest, wantSize int64, is digest.Digest, n int64) error {
	if wantSize >= 0 && n != wantSize {
		return fail(http.StatusBadRequest, codeSizeInvalid, "content has %d bytes, not %d", n, wantSize)
	}
	if is != want {
		return fail(http.StatusBadRequest, codeDigestInvalid, "content has digest %s, not %s", is, want).with(map[string]string{"digest": is.String()})
	}
	return nil
}

// checkSpace refuses an upload that would fill the disk.
func (s *Server) checkSpace(size int64) error {
	if size > s.limits.BlobBytes {
		return &http.MaxBytesError{Limit: s.limits.BlobBytes}
	}
	f, ok := s.blobs.(FreeSpacer)
	if !ok {
		return nil
	}
	free, err := f.FreeBytes()
	if err != nil {
		return err
	}
	if free-max(size, 0) < s.limits.FreeBytes {
		return fail(http.StatusInsufficientStorage, codeNoSpace, "the registry's disk has %d bytes free, too few for %d more", free, max(size, 0))
	}
	return nil
}

// statBlob gives the link of a blob of a repository. It looks at the bytes
// too: a blob that was lost must not be taken for present, or no client would
// ever bring it back.
func (s *Server) statBlob(ctx context.Context, name string, d digest.Digest) (linkRecord, error) {
	var link linkRecord
	err := s.meta.View(func(tx MetaTx) (err error) {
		link, err = loadLink(tx, name, d)
		return err
	})
	if err != nil || link.Inline {
		return link, err
	}
	size, err := s.blobs.Stat(ctx, d)
	if isNotExist(err) || (err == nil && size != link.Size) {
		s.log.Error("bytes of a linked blob are lost", "repository", name, "digest", d.String(), "bytes", size, "want_bytes", link.Size)
		return link, unknownBlob(d)
	}
	return link, err
}

func (s *Server) openBlob(ctx context.Context, name string, d digest.Digest) (io.ReadSeekCloser, error) {
	link, err := s.statBlob(ctx, name, d)
	if err != nil {
		return nil, err
	}
	if !link.Inline {
		return s.blobs.Open(ctx, d)
	}
	raw, err := s.readBody(d)
	return &memoryBlob{bytes.NewReader(raw)}, err
}

// memoryBlob is a blob that needs no file.
type memoryBlob struct{ *bytes.Reader }

func (*memoryBlob) Close() error { return nil }

// readBody gives the bytes of a small manifest or blob.
func (s *Server) readBody(d digest.Digest) (raw []byte, err error) {
	err = s.meta.View(func(tx MetaTx) (err error) {
		raw, err = loadBody(tx, d)
		return err
	})
	return raw, err
}

func loadBody(tx MetaTx, d digest.Digest) ([]byte, error) {
	v := tx.Get(TableBodies, []byte(d))
	if v == nil {
		return nil, fmt.Errorf("bytes of %s are lost from the registry database", d)
	}
	return slices.Clone(v), nil
}

// mountBlob links a blob of another repository into this one; false when that
// repository has not got it.
func (s *Server) mountBlob(ctx context.Context, name, from string, d digest.Digest) (bool, error) {
	if _, err := s.statBlob(ctx, from, d); err != nil {
		if answerOf(err).status == http.StatusNotFound {
			return false, nil
		}
		return false, err
	}
	at := now()
	mounted := false
	err := s.meta.Update(func(tx MetaTx) error {
		link, err := loadLink(tx, from, d)
		if mounted = err == nil; !mounted {
			return nil // it has gone since
		}
		link.Linked = at
		return linkBlob(tx, name, d, link)
	})
	return mounted && err == nil, err
}
