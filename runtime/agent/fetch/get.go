package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	getter "github.com/hashicorp/go-getter"
	"golang.org/x/sys/unix"
)

const (
	// umask keeps what is fetched from being written by others.
	umask = 0o022
	// maxRedirects bounds the redirects of a request.
	maxRedirects = 10
	// responseWait is how long a server may take to begin its answer.
	responseWait = time.Minute
)

// run does the child's work.
func (o order) run() error {
	s, err := parse(o.Artifact)
	if err != nil {
		return err
	}
	dir := o.Dir
	if o.Isolate {
		if dir, err = isolate(o.Dir); err != nil {
			return fmt.Errorf("give up root: %w", err)
		}
	}
	unix.Umask(umask)
	// One file larger than all that is allowed is cut off by the kernel,
	// whoever of us writes it.
	signal.Ignore(syscall.SIGXFSZ)
	limit := uint64(o.MaxBytes) + 1
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return fmt.Errorf("limit the size of files: %w", err)
	}
	dst := filepath.Join(dir, content)
	if s.scheme != "git" { // which makes it itself
		if err := os.Mkdir(dst, 0o755); err != nil {
			return err
		}
	}
	if err := o.get(s, dst); err != nil {
		return err
	}
	return settle(dst, o.Artifact.Executable)
}

// isolate gives the directory another place, which an unprivileged user can
// reach, and makes us that user. We are in a mount namespace of our own.
func isolate(dir string) (string, error) {
	const at = "/tmp"
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount(dir, at, "", unix.MS_BIND, ""); err != nil {
		return "", fmt.Errorf("mount %s: %w", dir, err)
	}
	if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return "", fmt.Errorf("mount %s: %w", dir, err)
	}
	// These reach all threads of the process.
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(fetchUser), syscall.Setuid(fetchUser)); err != nil {
		return "", err
	}
	return at, nil
}

// get has go-getter do it.
func (o order) get(s source, dst string) error {
	web := &getter.HttpGetter{Client: httpClient(), MaxBytes: o.MaxBytes + 1, XTerraformGetDisabled: true, DoNotCheckHeadFirst: true}
	c := &getter.Client{
		Ctx: context.Background(), Src: s.url, Dst: dst, Mode: getter.ClientModeAny, Umask: umask,
		DisableSymlinks: true, Detectors: detectors,
		Decompressors: getter.LimitedDecompressors(maxFiles, o.MaxBytes),
		Getters: map[string]getter.Getter{
			"http": web, "https": web, "git": new(getter.GitGetter), "s3": new(getter.S3Getter),
			"file": &machineFiles{roots: o.FileRoots},
		},
	}
	if s.scheme == "http" || s.scheme == "https" {
		// A path that ends in a slash would be asked for its own listing.
		c.Mode = getter.ClientModeAny
		if strings.HasSuffix(strings.SplitN(s.url, "?", 2)[0], "/") {
			return fmt.Errorf("a URL that ends in / names no file: %w", ErrRefused)
		}
	}
	err := c.Get()
	var sum *getter.ChecksumError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &sum):
		return fmt.Errorf("it has %x and should have %x: %w", sum.Actual, sum.Expected, ErrChecksum)
	case errors.Is(err, syscall.EFBIG), strings.Contains(err.Error(), "larger than limit"), strings.Contains(err.Error(), "too many files"):
		return fmt.Errorf("%w: %w", err, ErrTooLarge)
	}
	return err
}

// httpClient knows no proxy and reaches no link-local address.
func httpClient() *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if ip := a.Addr().Unmap(); ip.IsLinkLocalUnicast() {
			return fmt.Errorf("address %s is link-local: %w", ip, ErrRefused)
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: responseWait},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return fmt.Errorf("redirect from https to %s: %w", req.URL.Scheme, ErrRefused)
			}
			return nil
		},
	}
}

// machineFiles gets single files of the agent's machine, of the directories
// that are allowed and where we can read as the user we are.
type machineFiles struct {
	roots  []string
	client *getter.Client
}

// SetClient implements getter.Getter.
func (m *machineFiles) SetClient(c *getter.Client) { m.client = c }

// ClientMode implements getter.Getter.
func (*machineFiles) ClientMode(*url.URL) (getter.ClientMode, error) {
	return getter.ClientModeFile, nil
}

// Get implements getter.Getter. A directory of the machine is not an artifact.
func (*machineFiles) Get(string, *url.URL) error {
	return fmt.Errorf("a directory of the agent's machine: give an archive: %w", ErrRefused)
}

// GetFile implements getter.Getter.
func (m *machineFiles) GetFile(dst string, u *url.URL) error {
	real, err := filepath.EvalSymlinks(u.Path)
	if err != nil {
		return err
	}
	allowed := false
	for _, root := range m.roots {
		rel, err := filepath.Rel(root, real)
		allowed = allowed || err == nil && filepath.IsLocal(rel)
	}
	if !allowed {
		return fmt.Errorf("%s is not below a directory that the agent's configuration allows: %w", u.Path, ErrRefused)
	}
	fg := &getter.FileGetter{Copy: true}
	fg.SetClient(m.client)
	return fg.GetFile(dst, &url.URL{Scheme: "file", Path: real})
}

// settle lets all read what came, and refuses what is no file: links that leave
// the tree, devices, pipes.
func settle(dir string, executable bool) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		switch mode := fi.Mode(); {
		case mode.IsDir():
			return os.Chmod(path, 0o755)
		case mode.IsRegular():
			perm := 0o644 | mode.Perm()&0o111
			if executable || perm&0o111 != 0 {
				perm |= 0o111
			}
			return os.Chmod(path, perm)
		case mode&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err == nil && (filepath.IsAbs(to) || !filepath.IsLocal(filepath.Join(filepath.Dir(rel), to))) {
				err = fmt.Errorf("the link %s leads out of the artifact: %w", rel, ErrRefused)
			}
			return err
		}
		return fmt.Errorf("%s is neither a file nor a directory: %w", rel, ErrRefused)
	})
}
