package config

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pelletier/go-toml/v2"
)

// Update changes the file in dir: it reads it, calls change and replaces it,
// under a lock that other processes' Updates respect. When change fails nothing
// is written. Directory and file are readable by their owner only.
func Update(dir string, change func(*Config) error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make configuration directory: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, FileName+".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	c, err := Load(dir)
	if err != nil {
		return err
	}
	if err := change(c); err != nil {
		return err
	}
	raw, err := toml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return replace(filepath.Join(dir, FileName), raw)
}

// lock takes the lock file; it waits for whoever holds it.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock configuration: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close() // the lock failed: that error is the one to tell
		return nil, fmt.Errorf("lock configuration %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil // closing releases the lock
}

// replace writes path by way of a temporary file beside it, so that a reader
// sees the old content or the new and nothing between.
func replace(path string, raw []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".config-*")
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing to remove
	_, err = tmp.Write(raw)
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write configuration %s: %w", path, err)
	}
	return nil
}
