package output

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// pieceSize is how much of a stream is read at once, in bytes: what a pipe holds.
const pieceSize = 64 << 10

// Writer writes both streams of a task to its sandbox. Only one works on a
// sandbox at a time.
type Writer struct {
	mu    sync.Mutex // one piece at a time: that is their order
	order *os.File
	marks int64
	out   stream
	err   stream
	last  *stream // that was written to last
	limit int64   // MaxStream but for tests
}

// stream is one of the two on its way to its file.
type stream struct {
	file  *os.File
	size  int64
	first int64 // first byte that is kept
	lost  int64 // bytes there was no room for
}

// NewWriter opens the files in a sandbox, which it continues.
func NewWriter(sandbox string) (*Writer, error) {
	w := &Writer{limit: MaxStream}
	if err := w.open(sandbox); err != nil {
		return nil, errors.Join(fmt.Errorf("output to %s: %w", sandbox, err), w.Close())
	}
	return w, nil
}

func (w *Writer) open(sandbox string) (err error) {
	stdout, stderr := Paths(sandbox)
	for path, s := range map[string]*stream{stdout: &w.out, stderr: &w.err} {
		if s.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640); err != nil {
			return err
		}
		fi, err := s.file.Stat()
		if err != nil {
			return err
		}
		s.size = fi.Size()
		if s.first, err = firstKept(s.file); err != nil {
			return err
		}
	}
	if w.order, err = os.OpenFile(orderPath(sandbox), os.O_CREATE|os.O_RDWR, 0o640); err != nil {
		return err
	}
	// A Note holds the lock for a moment; another Writer would for ever.
	if err := unix.Flock(int(w.order.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	n, before, last, err := lastMarks(w.order)
	if err != nil {
		return err
	}
	w.marks = n
	if now := (mark{w.out.size, w.err.size}); now != last {
		if err := put(w.order, n, before, last, now); err != nil {
			return err
		}
		w.marks, _, _, err = lastMarks(w.order)
	}
	return err
}

// Close closes the files.
func (w *Writer) Close() error {
	var errs []error
	for _, f := range []*os.File{w.out.file, w.err.file, w.order} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Copy takes both streams to their ends. What cannot be written is dropped, and
// the stream says so when there is room again: a full disk must not stop the
// task. The error is of reading only.
func (w *Writer) Copy(stdout, stderr io.Reader) error {
	var outErr, errErr error
	var wg sync.WaitGroup
	wg.Go(func() { outErr = w.copy(&w.out, stdout) })
	wg.Go(func() { errErr = w.copy(&w.err, stderr) })
	wg.Wait()
	return errors.Join(outErr, errErr)
}

func (w *Writer) copy(s *stream, from io.Reader) error {
	buf := make([]byte, pieceSize)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			w.write(s, buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// write appends a piece to a stream.
func (w *Writer) write(s *stream, p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != s {
		w.turn(s)
	}
	if s.lost > 0 {
		note := fmt.Appendf(nil, "\n[%d bytes of output were lost: there was no room for them on the agent's disk]\n", s.lost)
		if s.append(note) == 0 {
			s.lost = 0
		}
	}
	s.lost += s.append(p)
	if s.size-s.first > w.limit {
		if until := cut(s.first, s.size, w.limit); until > s.first && punch(s.file, until) == nil {
			s.first = until
		}
	}
}

// turn marks the end of the other stream's run. Without room for the mark both
// runs are merged as one; the next turn tries again.
func (w *Writer) turn(s *stream) {
	if w.last != nil && writeMark(w.order, w.marks, mark{w.out.size, w.err.size}) == nil {
		w.marks++
		if w.marks*recordSize%maxOrder == 0 {
			_ = trimFile(w.order, maxOrder) // else it stays larger until the next
		}
	}
	w.last = s
}

// append writes p and gives the bytes there was no room for.
func (s *stream) append(p []byte) (lost int64) {
	n, _ := s.file.Write(p) // whatever is wrong with the disk, the rest is lost
	s.size += int64(n)
	return int64(len(p) - n)
}
