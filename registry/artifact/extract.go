package artifact

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// Extract writes the source directory to dir, which is made when it does not
// exist. Existing files are not overwritten: that is an error, as are links in
// dir that lead out of it.
func (p *Package) Extract(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("extract package: %w", err)
	}
	// A Root cannot be left, whatever links are in dir.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("extract package: %w", err)
	}
	defer root.Close()
	for _, name := range p.files.order {
		if err := writeFile(root, name, p.files.files[name]); err != nil {
			return fmt.Errorf("extract package to %s: %w", dir, err)
		}
	}
	return nil
}

func writeFile(root *os.Root, name string, f *file) error {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	mode := (&node{file: f}).Mode()
	out, err := root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("create file: %w", err)
	}
	_, err = out.Write(f.data)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	return nil
}
