package volume

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// The parts of a store.
const (
	dirNew   = ".new"
	dirTrash = ".trash"
	fileName = "volume.json"
	dirData  = "data"
)

const (
	// format is the version of volume.json.
	format = 1
	// maxFile bounds volume.json, in bytes.
	maxFile = 4096
)

// Owner is the user and group that a new volume belongs to.
type Owner struct{ UID, GID int }

// Volume is what is on disk of a volume.
type Volume struct {
	Name cluster.VolumeName
	// Doomed is set when it is to be destroyed as soon as no task holds it.
	Doomed bool
}

// Store is the volumes of one agent. Its methods are safe for concurrent use.
type Store struct {
	dir   string
	root  *os.Root
	trash chan struct{} // holds a token while there may be something to sweep

	mu sync.Mutex
}

// file is the content of volume.json.
type file struct {
	Format int          `json:"format"`
	Role   cluster.Role `json:"role"`
	ID     string       `json:"id"`
	Doomed bool         `json:"doomed,omitempty"`
}

// Open opens the store in a directory, or makes one. What an earlier life was
// making is thrown away.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("volumes: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("volumes: %w", err)
	}
	s := &Store{dir: dir, root: root, trash: make(chan struct{}, 1)}
	if err := s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("volumes in %s: %w", dir, err), root.Close())
	}
	return s, nil
}

func (s *Store) recover() error {
	for _, d := range []string{dirNew, dirTrash} {
		if err := s.root.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	half, err := s.names(dirNew)
	if err != nil {
		return err
	}
	for _, name := range half {
		if err := s.discard(filepath.Join(dirNew, name)); err != nil {
			return err
		}
	}
	s.wake()
	return nil
}

// Close closes the store; its volumes stay.
func (s *Store) Close() error { return s.root.Close() }

// place is where a volume lies, relative to the store. The name must be valid.
func place(n cluster.VolumeName) string {
	sum := sha256.Sum256([]byte(n.Role))
	return filepath.Join(hex.EncodeToString(sum[:]), n.ID)
}

// Check says what is wrong with the name of a volume.
func Check(n cluster.VolumeName) error {
	if !cluster.ValidRole(n.Role) || n.Role == cluster.DefaultRole {
		return fmt.Errorf("volume %q: role %q is malformed or has no volumes", n.ID, n.Role)
	}
	return cluster.Volume{ID: n.ID, Path: "x", Size: 1}.Validate()
}

// Path is the directory with a volume's data, whether it is there or not.
func (s *Store) Path(n cluster.VolumeName) string { return filepath.Join(s.dir, place(n), dirData) }

// Make gives the directory with a volume's data, and makes it when it is not
// there: for its owner, or for every user of the containers that mount it where
// the owner is nil or cannot be given. The directories above are the agent's.
func (s *Store) Make(n cluster.VolumeName, owner *Owner) (string, error) {
	if err := Check(n); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place(n)
	fi, err := s.root.Lstat(filepath.Join(at, dirData))
	switch {
	case err == nil && !fi.IsDir():
		return "", fmt.Errorf("volume %q of role %q: its data is no directory", n.ID, n.Role)
	case errors.Is(err, fs.ErrNotExist):
		err = s.create(n, owner)
	}
	if err != nil {
		return "", fmt.Errorf("volume %q of role %q: %w", n.ID, n.Role, err)
	}
	return s.Path(n), nil
}

// create makes a volume aside and moves it to its place.
func (s *Store) create(n cluster.VolumeName, owner *Owner) error {
	aside, at := filepath.Join(dirNew, rand.Text()), place(n)
	data := filepath.Join(aside, dirData)
	if err := errors.Join(s.root.Mkdir(aside, 0o700), s.root.Mkdir(data, 0o700)); err != nil {
		return err
	}
	if err := s.give(data, owner); err != nil {
		return err
	}
	if err := s.write(aside, file{Format: format, Role: n.Role, ID: n.ID}); err != nil {
		return err
	}
	if err := s.root.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return err
	}
	if err := s.root.Rename(aside, at); err != nil {
		return err
	}
	return errors.Join(s.sync(at), s.sync(filepath.Dir(at)), s.sync("."))
}

// give makes a directory its owner's. Not by Mkdir: the umask must not count.
func (s *Store) give(dir string, owner *Owner) error {
	mode := fs.FileMode(0o777)
	if owner != nil {
		err := s.root.Lchown(dir, owner.UID, owner.GID)
		switch {
		case err == nil:
			mode = 0o755
		case !errors.Is(err, fs.ErrPermission): // else we are not root
			return err
		}
	}
	return s.root.Chmod(dir, mode)
}

// Doom marks a volume to be destroyed. One that is not there is no error.
func (s *Store) Doom(n cluster.VolumeName) error {
	if err := Check(n); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place(n)
	if _, err := s.root.Lstat(at); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.write(at, file{Format: format, Role: n.Role, ID: n.ID, Doomed: true})
}

// Destroy removes a volume at once from the store; Sweep frees its room. One
// that is not there is no error. Nobody may have it mounted.
func (s *Store) Destroy(n cluster.VolumeName) error {
	if err := Check(n); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place(n)
	err := s.discard(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("volume %q of role %q: %w", n.ID, n.Role, err)
	}
	err = errors.Join(s.sync(filepath.Dir(at)), s.sync(dirTrash))
	_ = s.root.Remove(filepath.Dir(at)) // fails while the role has another
	s.wake()
	return err
}

// discard moves what is at a path to the trash, under a name of its own.
func (s *Store) discard(at string) error {
	return s.root.Rename(at, filepath.Join(dirTrash, rand.Text()))
}

// All gives the volumes, in no order. What cannot be read is left out, and said
// in the error.
func (s *Store) All() ([]Volume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	roles, err := s.names(".")
	if err != nil {
		return nil, fmt.Errorf("volumes in %s: %w", s.dir, err)
	}
	var out []Volume
	var errs []error
	for _, role := range roles {
		if strings.HasPrefix(role, ".") {
			continue
		}
		ids, err := s.names(role)
		errs = append(errs, err)
		for _, id := range ids {
			v, err := s.read(filepath.Join(role, id))
			if err != nil {
				errs = append(errs, fmt.Errorf("volume in %s: %w", filepath.Join(s.dir, role, id), err))
				continue
			}
			out = append(out, v)
		}
	}
	return out, errors.Join(errs...)
}

// read gives the volume at a place. One whose file does not say that place is
// an error.
func (s *Store) read(at string) (Volume, error) {
	fi, err := s.root.Lstat(filepath.Join(at, fileName))
	if err != nil {
		return Volume{}, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxFile {
		return Volume{}, fmt.Errorf("%s is no file of at most %d bytes", fileName, maxFile)
	}
	b, err := s.root.ReadFile(filepath.Join(at, fileName))
	if err != nil {
		return Volume{}, err
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return Volume{}, fmt.Errorf("%s: %w", fileName, err)
	}
	name := cluster.VolumeName{Role: f.Role, ID: f.ID}
	if f.Format != format || Check(name) != nil || place(name) != at {
		return Volume{}, fmt.Errorf("%s is of format %d, for volume %q of role %q, which is not of this place", fileName, f.Format, f.ID, f.Role)
	}
	return Volume{Name: name, Doomed: f.Doomed}, nil
}

// write puts volume.json into a directory, whole or not at all.
func (s *Store) write(dir string, f file) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	aside := filepath.Join(dir, fileName+".new")
	w, err := s.root.OpenFile(aside, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return err
	}
	if err := s.root.Rename(aside, filepath.Join(dir, fileName)); err != nil {
		return err
	}
	return s.sync(dir)
}

// sync makes the entries of a directory durable.
func (s *Store) sync(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// names lists a directory of the store.
func (s *Store) names(dir string) ([]string, error) {
	d, err := s.root.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, errors.Join(err, d.Close())
}

func (s *Store) wake() {
	select {
	case s.trash <- struct{}{}:
	default:
	}
}
