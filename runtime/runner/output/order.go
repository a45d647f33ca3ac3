package output

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// settleEvery is the time between two looks at a Writer that is to end.
const settleEvery = 10 * time.Millisecond

// recordSize is the size of a mark in the order file, in bytes.
const recordSize = 16

// mark is how much of both streams there was at a moment.
type mark struct{ out, err int64 }

func (m mark) sum() int64 { return m.out + m.err }

// Paths gives the files of both streams in a task's sandbox.
func Paths(sandbox string) (stdout, stderr string) {
	return filepath.Join(sandbox, string(Stdout)), filepath.Join(sandbox, string(Stderr))
}

func orderPath(sandbox string) string { return filepath.Join(sandbox, "order") }

// Touch makes the files of both streams where they are missing.
func Touch(sandbox string) error {
	stdout, stderr := Paths(sandbox)
	for _, path := range []string{stdout, stderr} {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// stripes serialize this process's own marks, by sandbox.
var stripes [64]sync.Mutex

func stripe(sandbox string) *sync.Mutex {
	h := fnv.New32a()
	_, _ = h.Write([]byte(sandbox)) // never fails (hash.Hash)
	return &stripes[h.Sum32()%uint32(len(stripes))]
}

// Note marks how far both streams are, unless a Writer is at work, which does so
// itself.
func Note(sandbox string) error {
	_, err := note(sandbox)
	if err != nil {
		return fmt.Errorf("order of a task's output: %w", err)
	}
	return nil
}

// note also tells whether a Writer is at work.
func note(sandbox string) (live bool, err error) {
	mu := stripe(sandbox)
	mu.Lock()
	defer mu.Unlock()
	f, err := os.OpenFile(orderPath(sandbox), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return false, err
	}
	defer f.Close() // and with it the lock
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("lock: %w", err)
	}
	now, err := sizes(sandbox)
	if err != nil {
		return false, err
	}
	n, before, last, err := lastMarks(f)
	if err != nil || now == last {
		return false, err
	}
	return false, put(f, n, before, last, now)
}

// Live reports whether a Writer is at work on a sandbox: it may still have what
// the task wrote last.
func Live(sandbox string) bool {
	f, err := os.Open(orderPath(sandbox))
	if err != nil {
		return false
	}
	defer f.Close() // and with it the lock
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// Settled returns when no Writer is at work any more, or after limit, or when
// ctx is done: then what the task wrote is all in its files.
func Settled(ctx context.Context, sandbox string, limit time.Duration) {
	if !Live(sandbox) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for Live(sandbox) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sizes is how far both streams are now.
func sizes(sandbox string) (mark, error) {
	stdout, stderr := Paths(sandbox)
	out, err := size(stdout)
	if err != nil {
		return mark{}, err
	}
	errs, err := size(stderr)
	return mark{out, errs}, err
}

func size(path string) (int64, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// put appends now, or lets it take the place of the last mark when the same one
// stream went on.
func put(f *os.File, n int64, before, last, now mark) error {
	if now.out < last.out || now.err < last.err {
		// A stream was cut by somebody: what was noted of it means nothing.
		if err := f.Truncate(0); err != nil {
			return err
		}
		n, before, last = 0, mark{}, mark{}
	}
	onlyOut := before.err == last.err && last.err == now.err
	onlyErr := before.out == last.out && last.out == now.out
	if n > 0 && (onlyOut || onlyErr) {
		n--
	}
	return writeMark(f, n, now)
}

func writeMark(f *os.File, i int64, m mark) error {
	var b [recordSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(m.out))
	binary.BigEndian.PutUint64(b[8:], uint64(m.err))
	_, err := f.WriteAt(b[:], i*recordSize)
	return err
}

// lastMarks gives the number of marks and the last two of them. A mark that was
// cut off in the middle does not count and is written over.
func lastMarks(f *os.File) (n int64, before, last mark, err error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, mark{}, mark{}, err
	}
	n = fi.Size() / recordSize
	if last, err = markAt(f, n-1); err == nil {
		before, err = markAt(f, n-2)
	}
	return n, before, last, err
}

// markAt reads mark i; before the first there is nothing.
func markAt(f *os.File, i int64) (mark, error) {
	if i < 0 {
		return mark{}, nil
	}
	var b [recordSize]byte
	if _, err := f.ReadAt(b[:], i*recordSize); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return mark{}, err
	}
	return mark{int64(binary.BigEndian.Uint64(b[:])), int64(binary.BigEndian.Uint64(b[8:]))}, nil
}

// search gives the first of n marks that holds, n when none does. Marks only
// grow, and those given back read as zero: what holds stays true.
func search(f *os.File, n int64, holds func(mark) bool) (int64, error) {
	lo, hi := int64(0), n
	for lo < hi {
		mid := lo + (hi-lo)/2
		m, err := markAt(f, mid)
		if err != nil {
			return 0, err
		}
		if holds(m) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo, nil
}
