package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry"
)

// The values of the tables, in JSON. Fields are added, never changed.
type (
	repositoryRecord struct {
		Created time.Time `json:"created"`
	}
	tagRecord struct {
		Digest    digest.Digest `json:"digest"`
		Pushed    time.Time     `json:"pushed"`
		Immutable bool          `json:"immutable,omitempty"`
	}
	manifestRecord struct {
		MediaType    string        `json:"mediaType"`
		Size         int64         `json:"size"`
		ArtifactType string        `json:"artifactType,omitempty"`
		Subject      digest.Digest `json:"subject,omitempty"`
		Pushed       time.Time     `json:"pushed"`
		InBlobStore  bool          `json:"inBlobStore,omitempty"`
	}
	linkRecord struct {
		Size   int64     `json:"size"`
		Linked time.Time `json:"linked"`
		Inline bool      `json:"inline,omitempty"` // the bytes are in TableBodies
	}
)

// key joins the parts of a key with a zero byte, which no part holds.
func key(parts ...string) []byte {
	n := len(parts) - 1
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 0, n)
	for i, p := range parts {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, p...)
	}
	return b
}

// within is the prefix of the keys that start with parts.
func within(parts ...string) []byte { return append(key(parts...), 0) }

// load reads a record; false when there is none.
func load(tx MetaTx, t Table, k []byte, record any) (bool, error) {
	v := tx.Get(t, k)
	if v == nil {
		return false, nil
	}
	if err := json.Unmarshal(v, record); err != nil {
		return false, fmt.Errorf("registry database, table %s, key %q: %w", t, k, err)
	}
	return true, nil
}

func store(tx MetaTx, t Table, k []byte, record any) error {
	v, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode record of table %s: %w", t, err)
	}
	return tx.Put(t, k, v)
}

// ensureRepository makes the repository's record when it is not there.
func ensureRepository(tx MetaTx, name string, at time.Time) error {
	if tx.Get(TableRepositories, key(name)) != nil {
		return nil
	}
	return store(tx, TableRepositories, key(name), repositoryRecord{Created: at})
}

func checkRepository(tx MetaTx, name string) error {
	if tx.Get(TableRepositories, key(name)) == nil {
		return fail(http.StatusNotFound, codeNameUnknown, "repository %q is not known to this registry", name).with(map[string]string{"name": name})
	}
	return nil
}

// linkBlob shows a blob in a repository.
func linkBlob(tx MetaTx, name string, d digest.Digest, link linkRecord) error {
	if err := ensureRepository(tx, name, link.Linked); err != nil {
		return err
	}
	var old linkRecord
	found, err := load(tx, TableLinks, key(name, d.String()), &old)
	if err != nil || (found && old.Inline == link.Inline) {
		return err
	}
	if err := store(tx, TableLinks, key(name, d.String()), link); err != nil {
		return err
	}
	return tx.Put(TableHolders, key(d.String(), name), []byte{})
}

// loadLink gives the link of a blob in a repository.
func loadLink(tx MetaTx, name string, d digest.Digest) (linkRecord, error) {
	var link linkRecord
	found, err := load(tx, TableLinks, key(name, d.String()), &link)
	if err == nil && !found {
		err = unknownBlob(d)
	}
	return link, err
}

// unlinkBlob hides a blob in a repository.
func unlinkBlob(tx MetaTx, name string, d digest.Digest) error {
	if tx.Get(TableLinks, key(name, d.String())) == nil {
		return unknownBlob(d)
	}
	if err := tx.Delete(TableLinks, key(name, d.String())); err != nil {
		return err
	}
	return tx.Delete(TableHolders, key(d.String(), name))
}

func unknownBlob(d digest.Digest) error {
	return fail(http.StatusNotFound, codeBlobUnknown, "blob %s is not in this repository", d).with(map[string]string{"digest": d.String()})
}

func unknownManifest(reference string) error {
	return fail(http.StatusNotFound, codeManifestUnknown, "manifest %q is not in this repository", reference).with(map[string]string{"reference": reference})
}

// resolve gives the digest and record behind a tag or digest.
func resolve(tx MetaTx, name, reference string) (digest.Digest, manifestRecord, error) {
	var m manifestRecord
	d, err := registry.ParseDigest(reference)
	if err != nil {
		var t tagRecord
		found, err := load(tx, TableTags, key(name, reference), &t)
		if err != nil {
			return "", m, err
		}
		if !found {
			return "", m, unknownManifest(reference)
		}
		d = t.Digest
	}
	found, err := load(tx, TableManifests, key(name, d.String()), &m)
	if err != nil {
		return "", m, err
	}
	if !found {
		return "", m, unknownManifest(reference)
	}
	return d, m, nil
}

func (m manifestRecord) descriptor(d digest.Digest) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: m.MediaType, Digest: d, Size: m.Size}
}

// setTag points a tag at a manifest of the repository, unless the tag is a
// version of a package and points elsewhere.
func setTag(tx MetaTx, name, tag string, d digest.Digest, artifactType string, at time.Time) error {
	var old tagRecord
	found, err := load(tx, TableTags, key(name, tag), &old)
	if err != nil {
		return err
	}
	if found && old.Digest == d {
		return nil
	}
	if found && old.Immutable {
		return fail(http.StatusConflict, codeDenied, "tag %q of %q is a published version and does not change: it is %s, not %s", tag, name, old.Digest, d).
			with(map[string]string{"tag": tag, "digest": old.Digest.String()})
	}
	_, version := registry.VersionOfTag(tag)
	return store(tx, TableTags, key(name, tag), tagRecord{Digest: d, Pushed: at, Immutable: version && artifactType == registry.PackageArtifactType})
}

// deleteTag removes a tag alone.
func deleteTag(tx MetaTx, name, tag string) error {
	if tx.Get(TableTags, key(name, tag)) == nil {
		return unknownManifest(tag)
	}
	return tx.Delete(TableTags, key(name, tag))
}

// deleteManifest removes a manifest, its tags and its place among referrers.
func deleteManifest(tx MetaTx, name string, d digest.Digest) error {
	var m manifestRecord
	found, err := load(tx, TableManifests, key(name, d.String()), &m)
	if err != nil {
		return err
	}
	if !found {
		return unknownManifest(d.String())
	}
	var tags [][]byte
	err = tx.Scan(TableTags, within(name), nil, func(k, v []byte) (bool, error) {
		var t tagRecord
		if err := json.Unmarshal(v, &t); err != nil {
			return false, fmt.Errorf("registry database, table %s, key %q: %w", TableTags, k, err)
		}
		if t.Digest == d {
			tags = append(tags, append([]byte(nil), k...))
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, k := range tags {
		if err := tx.Delete(TableTags, k); err != nil {
			return err
		}
	}
	if m.Subject != "" {
		if err := tx.Delete(TableReferrers, key(name, m.Subject.String(), d.String())); err != nil {
			return err
		}
	}
	return tx.Delete(TableManifests, key(name, d.String()))
}

// list gives the last part of the keys under prefix that come after last, at
// most n, and whether there are more.
func list(tx MetaTx, t Table, prefix []byte, last string, n int) (names []string, more bool, err error) {
	names = []string{} // an empty list is [] on the wire
	if n == 0 {
		return names, false, nil
	}
	var after []byte
	if last != "" {
		after = append(append([]byte(nil), prefix...), last...)
	}
	err = tx.Scan(t, prefix, after, func(k, _ []byte) (bool, error) {
		if len(names) == n {
			more = true
			return false, nil
		}
		names = append(names, string(k[len(prefix):]))
		return true, nil
	})
	return names, more, err
}
