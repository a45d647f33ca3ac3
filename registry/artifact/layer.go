package artifact

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// The compressor is the klauspost one at its best level: go.mod pins its
// version, so the bytes do not change with the Go release as those of
// compress/gzip may.
const compression = gzip.BestCompression

// maxZstdWindow bounds the memory a zstd layer may ask for, in bytes.
const maxZstdWindow = 32 << 20

// writeLayer makes the content layer: files only, sorted by path, with the
// Unix epoch as time and no owner.
func writeLayer(t *tree) ([]byte, error) {
	var out bytes.Buffer
	zw, err := gzip.NewWriterLevel(&out, compression)
	if err != nil {
		return nil, fmt.Errorf("compress content: %w", err)
	}
	tw := tar.NewWriter(zw)
	for _, name := range t.order {
		n := &node{name: name, file: t.files[name]}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(n.Mode().Perm()), Size: n.Size(), ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("write %q to content: %w", name, err)
		}
		if _, err := tw.Write(n.file.data); err != nil {
			return nil, fmt.Errorf("write %q to content: %w", name, err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		return nil, fmt.Errorf("write content: %w", err)
	}
	if out.Len() > MaxLayerBytes {
		return nil, problem.New(problem.TooLarge, "content has %d bytes after compression, more than the limit of %d", out.Len(), MaxLayerBytes).
			WithHint("reference large assets by URL and digest instead of packing them")
	}
	return out.Bytes(), nil
}

// readLayer reads a content layer into memory and refuses whatever Pack would
// not have written. Errors are of class problem.Invalid or problem.TooLarge.
func readLayer(data []byte, mediaType string) (*tree, error) {
	plain, done, err := decompress(data, mediaType)
	if err != nil {
		return nil, err
	}
	defer done()
	budget := &budgetReader{r: plain, compressed: int64(len(data))}
	t := newTree()
	tr := tar.NewReader(budget)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, invalidLayer(err)
		}
		if err := readEntry(t, tr, h); err != nil {
			return nil, err
		}
	}
	// What follows the archive's end must end too: it counts in the ratio,
	// and the compressor's check sum is behind it.
	if _, err := io.Copy(io.Discard, budget); err != nil {
		return nil, invalidLayer(err)
	}
	t.seal()
	return t, nil
}

func decompress(data []byte, mediaType string) (r io.Reader, done func(), err error) {
	switch mediaType {
	case registry.PackageContentType:
		zr, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, nil, invalidLayer(err)
		}
		return zr, func() {}, nil
	case registry.PackageContentZstdType:
		zr, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nil, invalidLayer(err)
		}
		return zr, zr.Close, nil
	}
	return nil, nil, problem.New(problem.Invalid, "content layer has media type %q, which is not known", mediaType)
}

func readEntry(t *tree, tr io.Reader, h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg:
	case tar.TypeDir:
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		if name == "" || name == "." {
			return nil
		}
		return checkPath(name)
	default:
		return problem.New(problem.Invalid, "content holds %q, which is neither a file nor a directory (tar type %q)", h.Name, h.Typeflag)
	}
	if h.Size < 0 || h.Size > MaxFileBytes {
		return problem.New(problem.TooLarge, "file %q in the content has %d bytes, more than the limit of %d", h.Name, h.Size, MaxFileBytes)
	}
	// The declared size is not trusted with memory: the buffer grows with
	// what really comes.
	var b bytes.Buffer
	if _, err := io.Copy(&b, tr); err != nil {
		return invalidLayer(err)
	}
	return t.add(strings.TrimPrefix(h.Name, "./"), &file{data: b.Bytes(), exec: h.Mode&0o100 != 0})
}

func invalidLayer(err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	return problem.New(problem.Invalid, "content layer is damaged: %w", err)
}

// maxArchiveBytes is MaxContentBytes plus room for the archive's own headers.
const maxArchiveBytes = MaxContentBytes + MaxFiles*(MaxPathBytes+3*512)

// budgetReader ends a decompression bomb.
type budgetReader struct {
	r          io.Reader
	compressed int64
	n          int64
}

func (b *budgetReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	switch {
	case b.n > maxArchiveBytes:
		return 0, problem.New(problem.TooLarge, "content expands to more than %d bytes", int64(MaxContentBytes))
	case b.n > RatioFloorBytes && b.n > MaxRatio*b.compressed:
		return 0, problem.New(problem.TooLarge, "content expands more than %d times", MaxRatio)
	}
	return n, err
}
