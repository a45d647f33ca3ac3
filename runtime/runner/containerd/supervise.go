package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxRestart bounds the pause before an ended daemon is started again.
const maxRestart = 30 * time.Second

// Supervise keeps the daemon running until ctx is done, and leaves it running
// then. It calls Start first, whose error it returns; later failures are tried
// again for ever, with growing pauses.
func (d *Daemon) Supervise(ctx context.Context) error {
	if err := d.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	pause := minReconnect
	for begun := time.Now(); ; begun = time.Now() {
		if err := d.ended(ctx); err != nil {
			return err
		}
		if time.Since(begun) > maxRestart {
			pause = minReconnect
		}
		for {
			if ctx.Err() != nil {
				return nil
			}
			d.logger().Error("containerd does not run; starting it again", "socket", d.Socket(), "in", pause)
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return nil
			}
			pause = min(2*pause, maxRestart)
			err := d.Start(ctx)
			if err == nil {
				break
			}
			d.logger().Error("containerd does not start", "err", err)
		}
	}
}

// ended returns when the daemon has ended or ctx is done.
func (d *Daemon) ended(ctx context.Context) error {
	pid, err := d.PID()
	if err != nil {
		return nil // it ended already
	}
	return awaitExit(ctx, pid)
}

// awaitExit waits for the end of any process, a child or not. It returns nil
// when ctx is done first.
func awaitExit(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch process %d: %w", pid, err)
	}
	// In non-blocking mode the file is in the runtime's poller: no thread waits.
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("watch process %d: %w", pid, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, _ := unix.Poll(p, 0)
		return n > 0
	})
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("watch process %d: %w", pid, err)
	}
	return nil
}
