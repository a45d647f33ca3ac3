package fetch

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// entry is a member of an archive of the tests.
type entry struct {
	name string
	mode int64
	typ  byte
	link string
	data string
}

func tgz(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Typeflag: e.typ, Linkname: e.link, Size: int64(len(e.data))}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, name, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	w, err := zw.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// site serves files by path, and an endless one.
func site(t *testing.T, files map[string][]byte) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch b, ok := files[r.URL.Path]; {
		case r.URL.Path == "/endless":
			for piece := bytes.Repeat([]byte("x"), 64<<10); ; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case r.URL.Path == "/silent":
			<-r.Context().Done()
		case r.URL.Path == "/clouds":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case ok:
			_, _ = w.Write(b)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(s[:])
}

// got lists what was fetched: "name mode content".
func got(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if e != nil && e.Name() == ".git" {
				return fs.SkipDir
			}
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		lines = append(lines, fmt.Sprintf("%s %o %s", rel, fi.Mode().Perm(), b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestFetch_whatThereIs(t *testing.T) {
	archive := tgz(t, entry{name: "app/bin/run", mode: 0o4755, data: "#!"}, entry{name: "app/conf", mode: 0o600, data: "a=1"})
	plain, packed := []byte("hello"), zipped(t, "x/y", "zip")
	url := site(t, map[string][]byte{"/app.tar.gz": archive, "/hello": plain, "/p.zip": packed})
	root, err := os.MkdirTemp("/var/tmp", "universe-fetch-") // the child's /tmp is its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := errors.Join(os.Chmod(root, 0o755), os.WriteFile(filepath.Join(root, "f"), []byte("local"), 0o644)); err != nil {
		t.Fatal(err)
	}
	f := New(Options{FileRoots: []string{root}})
	for name, c := range map[string]struct {
		a    cluster.Artifact
		want string
	}{
		"archive":        {cluster.Artifact{Source: url + "/app.tar.gz", Checksum: sum(archive)}, "app/bin/run 755 #!\napp/conf 644 a=1"},
		"part of it":     {cluster.Artifact{Source: url + "/app.tar.gz//app/bin"}, "run 755 #!"},
		"zip":            {cluster.Artifact{Source: url + "/p.zip", Checksum: sum(packed)}, "x/y 644 zip"},
		"file":           {cluster.Artifact{Source: url + "/hello", Checksum: sum(plain)}, "hello 644 hello"},
		"program":        {cluster.Artifact{Source: url + "/hello", Executable: true}, "hello 755 hello"},
		"renamed":        {cluster.Artifact{Source: url + "/hello?filename=other"}, "other 644 hello"},
		"packed":         {cluster.Artifact{Source: url + "/app.tar.gz", NoUnpack: true}, "app.tar.gz 644 " + string(archive)},
		"of the machine": {cluster.Artifact{Source: "file://" + root + "/f"}, "f 644 local"},
	} {
		t.Run(name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "artifacts", "0")
			for range 2 { // the second time it is there
				if err := f.Fetch(t.Context(), c.a, dst); err != nil {
					t.Fatal(err)
				}
			}
			if text := got(t, dst); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
			if left, _ := os.ReadDir(filepath.Dir(dst)); len(left) != 1 {
				t.Errorf("left beside it: %v", left)
			}
		})
	}
}

func TestFetch_isNotThereWhenItFails(t *testing.T) {
	plain := []byte("hello")
	url := site(t, map[string][]byte{
		"/hello":      plain,
		"/climb.tgz":  tgz(t, entry{name: "../../climbed", mode: 0o644, data: "x"}),
		"/link.tgz":   tgz(t, entry{name: "l", typ: tar.TypeSymlink, link: "/etc"}, entry{name: "l/passwd", mode: 0o644, data: "x"}),
		"/bomb.tgz":   tgz(t, entry{name: "zeros", mode: 0o644, data: strings.Repeat("\x00", 3<<20)}),
		"/broken.tgz": tgz(t, entry{name: "a", mode: 0o644, data: strings.Repeat("abc", 1000)})[:60],
	})
	f := New(Options{MaxBytes: 2 << 20, FileRoots: []string{"/nowhere"}})
	for name, c := range map[string]struct {
		a    cluster.Artifact
		want error // nil: any
		text string
	}{
		"missing":          {cluster.Artifact{Source: url + "/no"}, nil, "404"},
		"checksum":         {cluster.Artifact{Source: url + "/hello", Checksum: sum([]byte("other"))}, ErrChecksum, "has 2cf24d"},
		"climbs":           {cluster.Artifact{Source: url + "/climb.tgz"}, nil, "'..'"},
		"through a link":   {cluster.Artifact{Source: url + "/link.tgz"}, nil, ""},
		"unpacks too much": {cluster.Artifact{Source: url + "/bomb.tgz"}, ErrTooLarge, ""},
		"endless":          {cluster.Artifact{Source: url + "/endless"}, ErrTooLarge, ""},
		"cut off":          {cluster.Artifact{Source: url + "/broken.tgz"}, nil, ""},
		"a cloud's secret": {cluster.Artifact{Source: url + "/clouds"}, nil, "link-local"},
		"of the machine":   {cluster.Artifact{Source: "file:///etc/passwd"}, ErrRefused, "not below a directory"},
		"no server":        {cluster.Artifact{Source: "http://user:pa55word@127.0.0.1:1/x?token=s3cr3t"}, nil, "…@127.0.0.1:1/x?…"},
		"listing":          {cluster.Artifact{Source: url + "/"}, ErrRefused, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "artifacts", "0")
			err := f.Fetch(t.Context(), c.a, dst)
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.text)
			}
			if err != nil && (strings.Contains(err.Error(), "pa55word") || strings.Contains(err.Error(), "s3cr3t")) {
				t.Errorf("a secret is in the error: %v", err)
			}
			if left, _ := os.ReadDir(filepath.Dir(dst)); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestFetch_timeAndContext(t *testing.T) {
	url := site(t, nil)
	dst := filepath.Join(t.TempDir(), "0")
	err := New(Options{Timeout: 200 * time.Millisecond}).Fetch(t.Context(), cluster.Artifact{Source: url + "/silent"}, dst)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "longer than 200ms") {
		t.Errorf("a server that says nothing: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(Options{}).Fetch(ctx, cluster.Artifact{Source: url + "/silent"}, dst); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
}

func TestFetch_git(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git here")
	}
	repo := filepath.Join(t.TempDir(), "r.git")
	git := func(dir string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	work := t.TempDir()
	git(work, "init", "-q", "-b", "main")
	for i, text := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(work, "f"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		git(work, "add", "f")
		git(work, "commit", "-q", "-m", fmt.Sprint(i))
	}
	first := git(work, "rev-parse", "HEAD~1")
	git(work, "clone", "-q", "--bare", work, repo)
	git(repo, "update-server-info")
	srv := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(repo)))) // git's "dumb" protocol
	t.Cleanup(srv.Close)
	f := New(Options{RequireChecksum: true})
	a := cluster.Artifact{Source: "git::" + srv.URL + "/r.git?ref=" + first}
	dst := filepath.Join(t.TempDir(), "0")
	if err := f.Fetch(t.Context(), a, dst); err != nil {
		t.Fatal(err)
	}
	if text := got(t, dst); text != "f 644 one" {
		t.Errorf("the commit: got %q", text)
	}
	a.Source = "git::" + srv.URL + "/r.git?ref=main"
	if err := f.Fetch(t.Context(), a, filepath.Join(t.TempDir(), "1")); !errors.Is(err, ErrRefused) {
		t.Errorf("a branch where checksums are required: got %v", err)
	}
	// A repository of the machine, by git's own way, is no way round file_roots.
	a.Source = "git::file://" + repo
	if err := New(Options{}).Fetch(t.Context(), a, filepath.Join(t.TempDir(), "2")); err == nil {
		t.Error("a repository of the machine: got no error")
	}
}

// TestFetch_theChildIsAlone looks at it from a server: nothing of our
// environment reaches it.
func TestFetch_theChildIsAlone(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	for _, kv := range environment("/tmp") {
		if strings.Contains(kv, "hush") || strings.Contains(strings.ToLower(kv), "proxy") {
			t.Errorf("the child gets %s", kv)
		}
	}
	url := site(t, map[string][]byte{"/hello": []byte("hello")})
	dst := filepath.Join(t.TempDir(), "0")
	if err := New(Options{}).Fetch(t.Context(), cluster.Artifact{Source: url + "/hello"}, dst); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root has something to give up")
	}
	var owner string
	if out, err := exec.Command("stat", "-c", "%u", filepath.Join(dst, "hello")).Output(); err == nil {
		owner = strings.TrimSpace(string(out))
	}
	if owner != fmt.Sprint(fetchUser) {
		t.Errorf("owner of what was fetched: got %s, want %d", owner, fetchUser)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("root's"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := New(Options{FileRoots: []string{filepath.Dir(secret)}})
	if err := f.Fetch(t.Context(), cluster.Artifact{Source: "file://" + secret}, filepath.Join(t.TempDir(), "1")); err == nil {
		t.Error("a file that only root can read: got no error")
	}
}

func TestCheck(t *testing.T) {
	f := New(Options{})
	pinned := "sha256:" + strings.Repeat("0", 64)
	for _, a := range []cluster.Artifact{
		{Source: ""}, {Source: "/etc/passwd"}, {Source: "../x"}, {Source: "file:///etc/passwd"},
		{Source: "gcs::https://x/y"}, {Source: "hg::https://x/y"}, {Source: "ftp://x/y"},
		{Source: "git::ext::sh -c id"}, {Source: "https://x/y?checksum=file:https://z"}, {Source: "https://x/y?archive=zip"},
		{Source: "https://x/y", Checksum: "md5:00"}, {Source: "https://x/y", Checksum: "sha256:00"},
		{Source: "git::https://x/y", Checksum: pinned}, {Source: "https://x/\x00"}, {Source: "https://x/%zz?a=%zz"},
		{Source: "https://x/" + strings.Repeat("y", maxSource)},
	} {
		if err := f.Check(a); !errors.Is(err, ErrRefused) {
			t.Errorf("Check(%q, %q): got %v, want it refused", a.Source, a.Checksum, err)
		}
	}
	for _, c := range []struct {
		a      cluster.Artifact
		pinned bool
	}{
		{cluster.Artifact{Source: "https://x/y"}, false},
		{cluster.Artifact{Source: "https://x/y", Checksum: pinned}, true},
		{cluster.Artifact{Source: "github.com/o/n?ref=" + strings.Repeat("a", 40)}, true},
		{cluster.Artifact{Source: "github.com/o/n?ref=main"}, false},
		{cluster.Artifact{Source: "s3::https://s3.amazonaws.com/b/k"}, false},
	} {
		if err := f.Check(c.a); err != nil || Pinned(c.a) != c.pinned {
			t.Errorf("%q: got %v and pinned %t, want %t", c.a.Source, err, Pinned(c.a), c.pinned)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"https://u:p@h/p?x=y", "git::ssh://h/r//d?ref=v1", "github.com/o/n", "::", "s3::https://h/b/k"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := cluster.Artifact{Source: s}
		src, err := parse(a)
		if err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%q: got %v, want every error to be a refusal", s, err)
		}
		if err == nil && src.scheme == "" {
			t.Errorf("%q has no scheme", s)
		}
	})
}
