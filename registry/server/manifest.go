package server

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry"
)

// manifest is what the registry understands of a manifest. The bytes are kept
// as they came.
type manifest struct {
	raw          []byte
	digest       digest.Digest
	mediaType    string
	artifactType string // of the manifest, else its config's media type
	annotations  map[string]string
	subject      *ocispec.Descriptor
	blobs        []ocispec.Descriptor // config and layers that must be there
	manifests    []ocispec.Descriptor // an index's members
}

// manifestBody has the fields that are looked at. They are found by their
// exact names: encoding/json alone would take "Layers" for "layers", and other
// programs would not.
type manifestBody struct {
	SchemaVersion int
	MediaType     string
	ArtifactType  string
	Config        *ocispec.Descriptor
	Layers        []ocispec.Descriptor
	Manifests     []ocispec.Descriptor
	Subject       *ocispec.Descriptor
	Annotations   map[string]string

	has map[string]bool
}

// parseManifest checks a manifest against facts that clients rely on: one
// media type, in the header and in the body, and a body that is an image or an
// index and not both, so that no two programs read it in two ways.
func parseManifest(contentType string, raw []byte, d digest.Digest) (*manifest, error) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" {
		return nil, invalidManifest("Content-Type %q is not a media type", contentType)
	}
	body, err := decodeManifest(raw)
	if err != nil {
		return nil, err
	}
	if mediaType == "" {
		mediaType = body.MediaType
	}
	if !registry.IsManifest(mediaType) {
		return nil, invalidManifest("media type %q is not a manifest this registry stores", mediaType)
	}
	if err := body.check(mediaType); err != nil {
		return nil, err
	}
	m := &manifest{raw: raw, digest: d, mediaType: mediaType, artifactType: body.ArtifactType,
		annotations: body.Annotations, subject: body.Subject, manifests: body.Manifests}
	if body.Config != nil {
		if m.artifactType == "" {
			m.artifactType = body.Config.MediaType
		}
		m.blobs = append(m.blobs, *body.Config)
	}
	for _, l := range body.Layers {
		if !registry.IsForeignLayer(l) {
			m.blobs = append(m.blobs, l)
		}
	}
	return m, nil
}

func decodeManifest(raw []byte) (*manifestBody, error) {
	fields, err := topLevel(raw)
	if err != nil {
		return nil, invalidManifest("body is not a JSON object: %w", err)
	}
	b := &manifestBody{has: map[string]bool{}}
	for _, f := range []struct {
		name string
		into any
	}{
		{"schemaVersion", &b.SchemaVersion}, {"mediaType", &b.MediaType}, {"artifactType", &b.ArtifactType},
		{"config", &b.Config}, {"layers", &b.Layers}, {"manifests", &b.Manifests},
		{"subject", &b.Subject}, {"annotations", &b.Annotations},
	} {
		v, ok := fields[f.name]
		if !ok {
			continue
		}
		b.has[f.name] = true
		if err := json.Unmarshal(v, f.into); err != nil {
			return nil, invalidManifest("field %q: %w", f.name, err)
		}
	}
	return b, nil
}

// topLevel splits a JSON object into its members and refuses a name that is
// there twice: readers differ in which one they take.
func topLevel(raw []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, orUnexpected(err)
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if _, twice := fields[name]; !ok || twice {
			return nil, invalidManifest("field %q is there twice", name)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		fields[name] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF { //nolint:errorlint // the decoder gives it bare
		return nil, orUnexpected(err)
	}
	return fields, nil
}

func orUnexpected(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (b *manifestBody) check(mediaType string) error {
	index := registry.IsIndex(mediaType)
	switch {
	case b.SchemaVersion != 2:
		return invalidManifest("schemaVersion is %d, and only 2 is stored", b.SchemaVersion)
	case b.has["mediaType"] && b.MediaType != mediaType:
		return invalidManifest("Content-Type says %q and the body's mediaType %q", mediaType, b.MediaType)
	case b.has["manifests"] && (b.has["layers"] || b.has["config"]):
		return invalidManifest("body has the fields of an image and of an index")
	case index && !b.has["manifests"]:
		return invalidManifest("an index has the field manifests, and this body has not")
	case !index && b.Config == nil:
		return invalidManifest("an image manifest has the field config, and this body has not")
	case b.has["fsLayers"], b.has["signatures"]:
		return invalidManifest("Docker schema 1 manifests are not stored")
	case len(b.Layers)+len(b.Manifests) > MaxReferences:
		return invalidManifest("manifest refers to more than %d others", MaxReferences)
	}
	refs := append(append([]ocispec.Descriptor(nil), b.Layers...), b.Manifests...)
	for _, d := range []*ocispec.Descriptor{b.Config, b.Subject} {
		if d != nil {
			refs = append(refs, *d)
		}
	}
	for _, d := range refs {
		if _, err := registry.ParseDigest(d.Digest.String()); err != nil {
			return invalidManifest("%w", err)
		}
		if d.Size < 0 {
			return invalidManifest("descriptor %s has negative size %d", d.Digest, d.Size)
		}
	}
	return nil
}

func invalidManifest(format string, args ...any) error {
	return fail(http.StatusBadRequest, codeManifestInvalid, format, args...)
}

// checkReferences gives one MANIFEST_BLOB_UNKNOWN for each part of m that is
// not in the repository. A subject may be missing; so may members of an index
// that say where else they are.
func (m *manifest) checkReferences(tx MetaTx, name string) error {
	miss := &ociError{status: http.StatusBadRequest}
	missing := func(what string, d digest.Digest) {
		miss.entries = append(miss.entries, errorEntry{Code: codeManifestBlobUnknown,
			Message: what + " " + d.String() + " is not in this repository; push it first", Detail: map[string]string{"digest": d.String()}})
	}
	for _, d := range m.blobs {
		if tx.Get(TableLinks, key(name, d.Digest.String())) == nil {
			missing("blob", d.Digest)
		}
	}
	for _, d := range m.manifests {
		if len(d.URLs) == 0 && tx.Get(TableManifests, key(name, d.Digest.String())) == nil {
			missing("manifest", d.Digest)
		}
	}
	if len(miss.entries) > 0 {
		return miss
	}
	return nil
}
