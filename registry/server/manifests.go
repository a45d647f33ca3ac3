package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// condition is what must hold of a tag for a manifest to be put under it.
type condition struct {
	match     digest.Digest // If-Match: the tag points there
	noneMatch bool          // If-None-Match: *: there is no such tag
}

// putManifest stores m in a repository and points tags at it, all at once.
func (s *Server) putManifest(ctx context.Context, name string, m *manifest, tags []string, c condition) error {
	rec := manifestRecord{MediaType: m.mediaType, Size: int64(len(m.raw)), ArtifactType: m.artifactType,
		Pushed: now(), InBlobStore: len(m.raw) > MaxInlineBytes}
	if m.subject != nil {
		rec.Subject = m.subject.Digest
	}
	if rec.InBlobStore {
		if err := s.storeLargeManifest(ctx, name, m); err != nil {
			return err
		}
	}
	err := s.meta.Update(func(tx MetaTx) error {
		if err := c.check(tx, name, tags); err != nil {
			return err
		}
		if err := m.checkReferences(tx, name); err != nil {
			return err
		}
		return m.write(tx, name, rec, tags)
	})
	if err != nil {
		return err
	}
	s.announce(name, m.digest, rec, tags)
	return nil
}

// storeLargeManifest brings a manifest's bytes to the BlobStore, before the
// transaction that names them.
func (s *Server) storeLargeManifest(ctx context.Context, name string, m *manifest) error {
	id := newSessionID(name)
	if _, err := s.blobs.Append(ctx, id, 0, bytes.NewReader(m.raw)); err != nil {
		return err
	}
	return s.blobs.Commit(ctx, id, int64(len(m.raw)), m.digest)
}

func (s *Server) announce(name string, d digest.Digest, rec manifestRecord, tags []string) {
	e := Event{Repository: name, Digest: d.String(), MediaType: rec.MediaType, ArtifactType: rec.ArtifactType}
	if len(tags) == 0 {
		s.onPush(e)
	}
	for _, e.Tag = range tags {
		s.onPush(e)
	}
}

func (c condition) check(tx MetaTx, name string, tags []string) error {
	if c.match == "" && !c.noneMatch {
		return nil
	}
	for _, tag := range tags {
		var t tagRecord
		found, err := load(tx, TableTags, key(name, tag), &t)
		if err != nil {
			return err
		}
		if (c.noneMatch && found) || (c.match != "" && t.Digest != c.match) {
			return fail(http.StatusPreconditionFailed, codeDenied, "tag %q is not what the request expects it to be", tag).
				with(map[string]string{"tag": tag, "digest": t.Digest.String()})
		}
	}
	return nil
}

// write makes the records of m. What can fail for a reason of the client's
// comes before it, or first in it.
func (m *manifest) write(tx MetaTx, name string, rec manifestRecord, tags []string) error {
	for _, tag := range tags {
		if err := setTag(tx, name, tag, m.digest, m.artifactType, rec.Pushed); err != nil {
			return err
		}
	}
	if err := ensureRepository(tx, name, rec.Pushed); err != nil {
		return err
	}
	if !rec.InBlobStore {
		if err := tx.Put(TableBodies, []byte(m.digest), m.raw); err != nil {
			return err
		}
	}
	if err := store(tx, TableManifests, key(name, m.digest.String()), rec); err != nil {
		return err
	}
	if m.subject == nil {
		return nil
	}
	d := ocispec.Descriptor{MediaType: m.mediaType, Digest: m.digest, Size: rec.Size, ArtifactType: m.artifactType, Annotations: m.annotations}
	return store(tx, TableReferrers, key(name, m.subject.Digest.String(), m.digest.String()), d)
}

// readManifest gives a manifest's bytes, digest and record.
func (s *Server) readManifest(ctx context.Context, name, reference string) ([]byte, digest.Digest, manifestRecord, error) {
	var (
		raw []byte
		d   digest.Digest
		rec manifestRecord
	)
	err := s.meta.View(func(tx MetaTx) (err error) {
		if d, rec, err = resolve(tx, name, reference); err != nil || rec.InBlobStore {
			return err
		}
		raw, err = loadBody(tx, d)
		return err
	})
	if err == nil && rec.InBlobStore {
		raw, err = s.readLargeManifest(ctx, d, rec.Size)
	}
	return raw, d, rec, err
}

func (s *Server) readLargeManifest(ctx context.Context, d digest.Digest, size int64) ([]byte, error) {
	rc, err := s.blobs.Open(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("open manifest %s: %w", d, err)
	}
	defer rc.Close()
	raw := make([]byte, size)
	if _, err := io.ReadFull(rc, raw); err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", d, err)
	}
	return raw, nil
}

// statManifest gives a manifest's descriptor.
func (s *Server) statManifest(name, reference string) (digest.Digest, manifestRecord, error) {
	var (
		d   digest.Digest
		rec manifestRecord
	)
	err := s.meta.View(func(tx MetaTx) (err error) {
		d, rec, err = resolve(tx, name, reference)
		return err
	})
	return d, rec, err
}

// tagManifest points a tag at a manifest that is there.
func (s *Server) tagManifest(name, tag string, d digest.Digest) error {
	at := now()
	var rec manifestRecord
	err := s.meta.Update(func(tx MetaTx) (err error) {
		if _, rec, err = resolve(tx, name, d.String()); err != nil {
			return err
		}
		return setTag(tx, name, tag, d, rec.ArtifactType, at)
	})
	if err != nil {
		return err
	}
	s.announce(name, d, rec, []string{tag})
	return nil
}

// referrers lists the manifests whose subject is d, after the digest last,
// until they have maxBytes; more says that there are others.
func (s *Server) referrers(name string, d digest.Digest, artifactType, last string, maxBytes int) (found []ocispec.Descriptor, more bool, err error) {
	found = []ocispec.Descriptor{}
	prefix := within(name, d.String())
	var after []byte
	if last != "" {
		after = append(slices.Clone(prefix), last...)
	}
	err = s.meta.View(func(tx MetaTx) error {
		n := 0
		return tx.Scan(TableReferrers, prefix, after, func(_, v []byte) (bool, error) {
			var desc ocispec.Descriptor
			if err := json.Unmarshal(v, &desc); err != nil {
				return false, fmt.Errorf("registry database, table %s: %w", TableReferrers, err)
			}
			if artifactType != "" && desc.ArtifactType != artifactType {
				return true, nil
			}
			if n += len(v) + 1; n > maxBytes && len(found) > 0 {
				more = true
				return false, nil
			}
			found = append(found, desc)
			return true, nil
		})
	})
	return found, more, err
}
