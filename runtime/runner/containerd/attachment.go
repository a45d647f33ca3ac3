package containerd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// attachment is what is kept of one: all that it takes to undo it, by another
// life and whatever the configuration is by then.
type attachment struct {
	Group   string                `json:"group"`
	Network json.RawMessage       `json:"network"` // CNI configuration list
	Ports   []cluster.PortMapping `json:"ports,omitempty"`
	Address string                `json:"address,omitempty"` // empty: not yet connected
}

func (n *networks) home(group string) string {
	return filepath.Join(n.dir, networkGroups, identifier(group))
}

func (n *networks) namespace(group string) string { return filepath.Join(n.home(group), namespaceFile) }

// all gives the records, sorted by group.
func (n *networks) all() ([]attachment, error) {
	dirs, err := os.ReadDir(filepath.Join(n.dir, networkGroups))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var out []attachment
	for _, d := range dirs {
		rec, err := n.load(d.Name())
		if errors.Is(err, os.ErrNotExist) {
			continue // it has just gone
		}
		if err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	slices.SortFunc(out, func(a, b attachment) int { return strings.Compare(a.Group, b.Group) })
	return out, nil
}

// load reads the record in the directory name. A directory without a readable
// one is of a group that was about to be attached: no plugin had run.
func (n *networks) load(name string) (attachment, error) {
	dir := filepath.Join(n.dir, networkGroups, name)
	if _, err := os.Stat(dir); err != nil {
		return attachment{}, err
	}
	b, err := os.ReadFile(filepath.Join(dir, attachmentFile))
	if errors.Is(err, os.ErrNotExist) {
		return attachment{Group: name}, nil
	}
	if err != nil {
		return attachment{}, err
	}
	var rec attachment
	if err := json.Unmarshal(b, &rec); err != nil {
		return attachment{}, fmt.Errorf("%s: %w", filepath.Join(dir, attachmentFile), err)
	}
	return rec, nil
}

// save writes a record, at once or not at all.
func (n *networks) save(rec attachment) error {
	dir := n.home(rec.Group)
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	at := filepath.Join(dir, attachmentFile)
	if err := os.WriteFile(at+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(at+".new", at)
}

// check accepts the namespace of a group that is attached, or none.
func (n *networks) check(path string) error {
	if path == "" {
		return nil
	}
	_, err := n.address(path)
	return err
}

// address gives the address of the group whose namespace path is.
func (n *networks) address(path string) (string, error) {
	home := filepath.Dir(path)
	if filepath.Clean(path) != path || filepath.Base(path) != namespaceFile || filepath.Dir(home) != filepath.Join(n.dir, networkGroups) {
		return "", fmt.Errorf("network namespace %q is not one of this runner's: %w", path, runner.ErrSpec)
	}
	rec, err := n.load(filepath.Base(home))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err != nil || rec.Address == "" || !isNamespace(path) {
		return "", fmt.Errorf("network namespace %s is not attached: %w", path, runner.ErrSpec)
	}
	return rec.Address, nil
}
