package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ownNetwork is the network namespace of the calling thread.
const ownNetwork = "/proc/thread-self/ns/net"

// makeNamespace makes a network namespace with its loopback interface up and
// binds it to path, which keeps it alive without a process in it.
func makeNamespace(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	result := make(chan error, 1)
	// A goroutine of its own: should its thread not find back, the thread ends with it.
	go func() { result <- bindNew(path) }()
	if err := <-result; err != nil {
		return errors.Join(fmt.Errorf("network namespace %s: %w", path, err), os.Remove(path))
	}
	return nil
}

func bindNew(path string) error {
	runtime.LockOSThread()
	home, err := os.Open(ownNetwork)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = settle(path)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // the thread stays locked, and goes
	}
	runtime.UnlockOSThread()
	return err
}

// settle makes the calling thread's namespace one to live in and binds it to path.
func settle(path string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	// All ports of the namespace are the group's own: none is root's.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0); err != nil {
		return err
	}
	return unix.Mount(ownNetwork, path, "none", unix.MS_BIND, "")
}

// isNamespace reports whether a namespace is bound to path: after a reboot only
// the file is there.
func isNamespace(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && fs.Type == unix.NSFS_MAGIC
}

// removeNamespace unbinds the namespace of path, if there is one; it ends with
// the last process in it.
func removeNamespace(path string) error {
	for isNamespace(path) { // it may have been bound more than once
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("network namespace %s: %w", filepath.Base(filepath.Dir(path)), err)
	}
	return nil
}
