package artifact

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// Whatever a layer holds, it is refused with a class, or its files have good
// paths and it can be written again.
func FuzzReadLayer(f *testing.F) {
	for _, fsys := range []fstest.MapFS{{"a": {}}, {"a": {Data: []byte("text"), Mode: 0o755}, "d/e/b": {Data: make([]byte, 5000)}}} {
		t, err := readTree(fsys)
		if err != nil {
			f.Fatal(err)
		}
		layer, err := writeLayer(t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(layer, true)
		f.Add(layer[:len(layer)/2], true)
	}
	f.Add([]byte("text"), true)
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00, 0x01, 0x00, 0x00}, false)
	f.Fuzz(func(t *testing.T, layer []byte, gzip bool) {
		mediaType := registry.PackageContentZstdType
		if gzip {
			mediaType = registry.PackageContentType
		}
		files, err := readLayer(layer, mediaType)
		if err != nil {
			if !problem.Is(err, problem.Invalid) && !problem.Is(err, problem.TooLarge) {
				t.Errorf("readLayer = %v, want class invalid or too_large", err)
			}
			return
		}
		for _, name := range files.order {
			if !fs.ValidPath(name) || files.files[name] == nil {
				t.Errorf("readLayer lets the path %q through", name)
			}
		}
		if _, err := writeLayer(files); err != nil {
			t.Errorf("layer that was read cannot be written: %v", err)
		}
	})
}
