package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// cache keeps finished layers: blobs/<digest> holds the compressed layer and
// index/<key> says which blob a layer recipe gave.
type cache struct{ dir string }

// record is an entry of the index.
type record struct {
	Digest  v1.Hash  `json:"digest"`  // of the compressed layer
	DiffID  v1.Hash  `json:"diffID"`  // of the tar stream (image-spec, config.md)
	Size    int64    `json:"size"`    // bytes compressed
	Content int64    `json:"content"` // bytes of the files
	Files   int      `json:"files"`   // number of entries
	Origins []string `json:"origins"` // what it was made of, with versions
}

// layer is a finished layer on disk. It implements v1.Layer.
type layer struct {
	record
	path string
}

var _ v1.Layer = (*layer)(nil)

// Digest is the digest of the compressed layer.
func (l *layer) Digest() (v1.Hash, error) { return l.record.Digest, nil }

// DiffID is the digest of the tar stream.
func (l *layer) DiffID() (v1.Hash, error) { return l.record.DiffID, nil }

// Size is the compressed size in bytes.
func (l *layer) Size() (int64, error) { return l.record.Size, nil }

// MediaType says tar with zstd (image-spec, layer.md).
func (l *layer) MediaType() (types.MediaType, error) { return types.OCILayerZStd, nil }

// Compressed opens the blob.
func (l *layer) Compressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Uncompressed opens the tar stream.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return nil, err
	}
	d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		f.Close()
		return nil, err
	}
	return &unpacked{d, f}, nil
}

type unpacked struct {
	*zstd.Decoder
	f *os.File
}

// Close frees the decoder and the file.
func (u *unpacked) Close() error {
	u.Decoder.Close()
	return u.f.Close()
}

func (c cache) blob(digest v1.Hash) string { return filepath.Join(c.dir, "blobs", digest.Hex) }

func (c cache) index(key string) string { return filepath.Join(c.dir, "index", key+".json") }

// find gives the layer a key was built to; nil if there is none or its blob is
// not whole.
func (c cache) find(key string) (*layer, error) {
	data, err := readBounded(c.index(key), MaxIndexBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("layer cache: %w", err)
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil || r.Digest.Algorithm != "sha256" || !hexSHA256.MatchString(r.Digest.Hex) {
		return nil, nil // a half-written or foreign file: build the layer again
	}
	st, err := os.Stat(c.blob(r.Digest))
	if err != nil || st.Size() != r.Size {
		return nil, nil
	}
	return &layer{record: r, path: c.blob(r.Digest)}, nil
}

// put writes t as a layer and remembers it under key. Blob and index appear
// whole or not at all.
func (c cache) put(key string, t *tree, at time.Time, origins []string, seen func(int64)) (*layer, error) {
	for _, dir := range []string{"blobs", "index"} {
		if err := os.MkdirAll(filepath.Join(c.dir, dir), 0o755); err != nil {
			return nil, fmt.Errorf("layer cache: %w", err)
		}
	}
	f, err := os.CreateTemp(filepath.Join(c.dir, "blobs"), ".new-*")
	if err != nil {
		return nil, fmt.Errorf("layer cache: %w", err)
	}
	defer os.Remove(f.Name()) // does nothing once the file has its name
	defer f.Close()
	r, err := compress(f, t, at, seen)
	if err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	r.Origins = origins
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("layer cache: %w", err)
	}
	if err := os.Rename(f.Name(), c.blob(r.Digest)); err != nil {
		return nil, fmt.Errorf("layer cache: %w", err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	// The rename makes it atomic; a lost index only means building again.
	tmp := f.Name() + ".json"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return nil, fmt.Errorf("layer cache: %w", err)
	}
	if err := os.Rename(tmp, c.index(key)); err != nil {
		os.Remove(tmp)
		return nil, fmt.Errorf("layer cache: %w", err)
	}
	return &layer{record: *r, path: c.blob(r.Digest)}, nil
}

// compress writes the compressed tar stream of t to w.
func compress(w io.Writer, t *tree, at time.Time, seen func(int64)) (*record, error) {
	packed, plain := sha256.New(), sha256.New()
	count := &counter{}
	// One encoder goroutine: the bytes must not depend on the number of cores.
	enc, err := zstd.NewWriter(io.MultiWriter(w, packed, count), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return nil, err
	}
	if err := t.write(io.MultiWriter(enc, plain), at, seen); err != nil {
		enc.Close()
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	r := &record{Size: count.n, Files: len(t.entries)}
	for _, e := range t.entries {
		r.Content += e.size
	}
	r.Digest = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(packed.Sum(nil))}
	r.DiffID = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(plain.Sum(nil))}
	return r, nil
}

// counter counts what is written to it.
type counter struct{ n int64 }

// Write counts p.
func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
