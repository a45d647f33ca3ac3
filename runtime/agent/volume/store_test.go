package volume

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func name(role cluster.Role, id string) cluster.VolumeName {
	return cluster.VolumeName{Role: role, ID: id}
}

func mustMake(t *testing.T, s *Store, n cluster.VolumeName, o *Owner) string {
	t.Helper()
	dir, err := s.Make(n, o)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, s *Store) []Volume {
	t.Helper()
	out, err := s.All()
	must(t, err)
	slices.SortFunc(out, func(a, b Volume) int {
		return strings.Compare(string(a.Name.Role)+" "+a.Name.ID, string(b.Name.Role)+" "+b.Name.ID)
	})
	return out
}

func TestStore_keepsDataOverLives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volumes")
	s := open(t, dir)
	a, b := name("kafka", "broker-0"), name("kafka/log", "broker-0")
	data := mustMake(t, s, a, nil)
	if other := mustMake(t, s, b, nil); other == data {
		t.Fatalf("volumes of two roles: both in %s", data)
	}
	must(t, os.WriteFile(filepath.Join(data, "x"), []byte("kept"), 0o600))
	must(t, s.Doom(b))
	must(t, s.Doom(name("kafka", "nobody")))
	must(t, s.Close())

	s = open(t, dir)
	if diff := cmp.Diff([]Volume{{Name: a}, {Name: b, Doomed: true}}, all(t, s)); diff != "" {
		t.Errorf("volumes after reopening (-want +got):\n%s", diff)
	}
	if again := mustMake(t, s, a, nil); again != data || again != s.Path(a) {
		t.Errorf("Make again: got %s, want %s", again, data)
	}
	if got, err := os.ReadFile(filepath.Join(data, "x")); err != nil || string(got) != "kept" {
		t.Errorf("data: got %q, %v", got, err)
	}
}

func TestMake_onlyDataIsOpenToTasks(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "volumes"))
	data := mustMake(t, s, name("r", "v"), nil)
	if fi, err := os.Stat(data); err != nil || fi.Mode().Perm() != 0o777 {
		t.Errorf("data of nobody known: got %v, %v, want 0777", fi.Mode(), err)
	}
	for dir := filepath.Dir(data); dir != filepath.Dir(s.dir); dir = filepath.Dir(dir) {
		if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("%s: got %v, %v, want 0700", dir, fi.Mode(), err)
		}
	}
}

func TestMake_givesItToTheFirstUserOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs root")
		}
		t.Skip("only root can give a directory to another user")
	}
	s := open(t, t.TempDir())
	mustMake(t, s, name("r", "v"), &Owner{1001, 1002})
	data := mustMake(t, s, name("r", "v"), &Owner{2001, 2002})
	fi, err := os.Stat(data)
	must(t, err)
	st := fi.Sys().(*syscall.Stat_t)
	if st.Uid != 1001 || st.Gid != 1002 || fi.Mode().Perm() != 0o755 {
		t.Errorf("owner: got %d:%d %v, want 1001:1002 and 0755", st.Uid, st.Gid, fi.Mode())
	}
}

func TestDestroy_takesTheDataAndNothingElse(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "x"), []byte("not a volume's"), 0o600))
	s := open(t, dir)
	gone, kept := name("r", "gone"), name("r", "kept")
	data := mustMake(t, s, gone, nil)
	must(t, os.WriteFile(filepath.Join(mustMake(t, s, kept, nil), "x"), nil, 0o600))
	must(t, os.Symlink(outside, filepath.Join(data, "link")))
	must(t, os.Symlink(filepath.Join(outside, "x"), filepath.Join(data, "file")))
	must(t, os.MkdirAll(filepath.Join(data, "a", "b", "c"), 0o700))
	must(t, os.WriteFile(filepath.Join(data, "a", "b", "x"), []byte("x"), 0o000))
	for len(s.Trash()) > 0 {
		<-s.Trash()
	}
	must(t, s.Destroy(gone))
	must(t, s.Destroy(gone)) // it is not there
	if diff := cmp.Diff([]Volume{{Name: kept}}, all(t, s)); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	if entries, err := os.ReadDir(mustMake(t, s, gone, nil)); err != nil || len(entries) != 0 {
		t.Errorf("a new volume of the same name before the sweep: got %v, %v, want it empty", entries, err)
	}
	<-s.Trash()
	must(t, s.Sweep(t.Context()))
	if entries, _ := os.ReadDir(filepath.Join(dir, dirTrash)); len(entries) != 0 {
		t.Errorf("trash after the sweep: got %v", entries)
	}
	if _, err := os.Stat(filepath.Join(outside, "x")); err != nil {
		t.Errorf("a file that a link in the volume named: %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.Path(kept), "x")); err != nil {
		t.Errorf("the other volume: %v", err)
	}
	must(t, s.Destroy(gone))
	must(t, s.Destroy(kept))
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("store without volumes: got %v, want .new and .trash", entries)
	}
}

// TestSweep_ofATreeDeeperThanAPath makes one as a task can, step by step.
func TestSweep_ofATreeDeeperThanAPath(t *testing.T) {
	const depth = 700
	s := open(t, t.TempDir())
	at, err := os.OpenRoot(mustMake(t, s, name("r", "v"), nil))
	must(t, err)
	for range depth {
		must(t, at.Mkdir("deeper", 0o700))
		next, err := at.OpenRoot("deeper")
		must(t, errors.Join(err, at.Close()))
		at = next
	}
	must(t, at.Close())
	must(t, s.Destroy(name("r", "v")))
	must(t, s.Sweep(t.Context()))
	if left, _ := s.names(dirTrash); len(left) != 0 {
		t.Errorf("trash: got %d entries, want none", len(left))
	}
}

func TestSweep_goesOnInTheNextLife(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, os.MkdirAll(filepath.Join(mustMake(t, s, name("r", "v"), nil), "x"), 0o700))
	must(t, s.Destroy(name("r", "v")))
	must(t, os.MkdirAll(filepath.Join(dir, dirNew, "half", dirData), 0o700)) // a crash while one was made
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Sweep(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a sweep that is called off: got %v", err)
	}
	must(t, s.Close())
	s = open(t, dir)
	<-s.Trash()
	must(t, s.Sweep(t.Context()))
	for _, d := range []string{dirNew, dirTrash} {
		if left, err := s.names(d); err != nil || len(left) != 0 {
			t.Errorf("%s: got %v, %v, want nothing", d, left, err)
		}
	}
}

func TestStore_refusesNamesThatLeaveIt(t *testing.T) {
	s := open(t, t.TempDir())
	for _, n := range []cluster.VolumeName{
		{}, name("r", ""), name("r", ".."), name("r", "."), name("r", "a/b"), name("r", "a\x00"), name("", "v"), name("*", "v"),
		name("../x", "v"), name("r", strings.Repeat("v", 256)),
	} {
		_, err := s.Make(n, nil)
		for what, err := range map[string]error{"Make": err, "Doom": s.Doom(n), "Destroy": s.Destroy(n)} {
			if err == nil {
				t.Errorf("%s(%+v): got no error", what, n)
			}
		}
	}
}

func TestStore_saysWhatIsDamaged(t *testing.T) {
	s := open(t, t.TempDir())
	for _, id := range []string{"garbage", "large", "link", "missing", "of another place", "sound"} {
		mustMake(t, s, name("r", id), nil)
	}
	meta := func(id string) string { return filepath.Join(filepath.Dir(s.Path(name("r", id))), fileName) }
	must(t, os.WriteFile(meta("garbage"), []byte("{"), 0o600))
	must(t, os.WriteFile(meta("large"), make([]byte, maxFile+1), 0o600))
	must(t, os.Remove(meta("missing")))
	must(t, errors.Join(os.Remove(meta("link")), os.Symlink("/dev/zero", meta("link"))))
	b, err := os.ReadFile(meta("sound"))
	must(t, errors.Join(err, os.WriteFile(meta("of another place"), b, 0o600)))
	got, err := s.All()
	if diff := cmp.Diff([]Volume{{Name: name("r", "sound")}}, got); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	for _, id := range []string{"garbage", "large", "link", "missing", "of another place"} {
		if err == nil || !strings.Contains(err.Error(), "/"+id+":") {
			t.Errorf("error: got %v, want %q in it", err, id)
		}
	}
	data := s.Path(name("r", "sound"))
	must(t, errors.Join(os.Remove(data), os.Symlink(t.TempDir(), data)))
	if _, err := s.Make(name("r", "sound"), nil); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Make where a link is: got %v, want it refused", err)
	}
}
