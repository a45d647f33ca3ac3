package output

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Stream names one of a task's streams, or both of them in their order.
type Stream string

// The streams, by the names of their files.
const (
	Merged Stream = ""
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// ParseStream reads a stream's name as a request gives it.
func ParseStream(s string) (Stream, error) {
	switch Stream(s) {
	case Merged, Stdout, Stderr:
		return Stream(s), nil
	}
	return "", fmt.Errorf("stream %q is neither stdout nor stderr", s)
}

// Reader reads one view of a task's output while it is written.
type Reader struct {
	sandbox  string
	stream   Stream
	out, err *os.File // nil where only the other is asked for
	order    *os.File // nil but for the merged view
	tail     mark     // of a Writer at work, what Size found: one stream has grown since the last mark
}

// Open opens a view of the output in a task's sandbox. Before the first byte
// can have come it is an error that wraps os.ErrNotExist. The caller closes it.
func Open(sandbox string, stream Stream) (*Reader, error) {
	r := &Reader{sandbox: sandbox, stream: stream}
	stdout, stderr := Paths(sandbox)
	var errs []error
	open := func(to **os.File, path string) {
		f, err := os.Open(path)
		if err != nil {
			errs = append(errs, err)
			return
		}
		*to = f
	}
	if stream != Stderr {
		open(&r.out, stdout)
	}
	if stream != Stdout {
		open(&r.err, stderr)
	}
	if stream == Merged && len(errs) == 0 {
		if err := Note(sandbox); err != nil {
			errs = append(errs, err)
		} else {
			open(&r.order, orderPath(sandbox))
		}
	}
	if len(errs) > 0 {
		r.Close()
		return nil, errs[0]
	}
	return r, nil
}

// Close closes the files.
func (r *Reader) Close() {
	for _, f := range []*os.File{r.out, r.err, r.order} {
		if f != nil {
			_ = f.Close() // it was only read
		}
	}
}

// Size is the number of bytes that were ever written. It only shrinks when a
// stream was cut.
func (r *Reader) Size() (int64, error) {
	if r.stream != Merged {
		fi, err := r.file().Stat()
		if err != nil {
			return 0, err
		}
		return fi.Size(), nil
	}
	live, err := note(r.sandbox)
	if err != nil {
		return 0, err
	}
	for {
		n, _, last, err := lastMarks(r.order)
		if err != nil {
			return 0, err
		}
		if !live {
			r.tail = last
			return last.sum(), nil
		}
		if r.tail, err = sizes(r.sandbox); err != nil {
			return 0, err
		}
		// A turn in between would make two streams grow.
		if after, _, _, err := lastMarks(r.order); err != nil || after == n {
			return r.tail.sum(), err
		}
	}
}

func (r *Reader) file() *os.File {
	if r.stream == Stderr {
		return r.err
	}
	return r.out
}

// First is the offset of the first byte that is kept.
func (r *Reader) First() (int64, error) {
	if r.stream != Merged {
		return firstKept(r.file())
	}
	mu := stripe(r.sandbox)
	mu.Lock()
	defer mu.Unlock()
	n, _, _, err := lastMarks(r.order)
	if err != nil || n == 0 {
		return 0, err
	}
	var first int64
	keep := func(at int64, err error) error {
		first = max(first, at)
		return err
	}
	return first, errors.Join(keep(r.orderKept()), keep(r.streamKept(n, r.out, true)), keep(r.streamKept(n, r.err, false)))
}

// orderKept is from where the order of both is still known.
func (r *Reader) orderKept() (int64, error) {
	at, err := firstKept(r.order)
	if err != nil || at == 0 {
		return 0, err
	}
	m, err := markAt(r.order, at/recordSize)
	return m.sum(), err
}

// streamKept is the place in the merged view of the first kept byte of a stream.
func (r *Reader) streamKept(n int64, f *os.File, stdout bool) (int64, error) {
	kept, err := firstKept(f)
	if err != nil || kept == 0 {
		return 0, err
	}
	i, err := search(r.order, n, func(m mark) bool { return stdout && m.out > kept || !stdout && m.err > kept })
	if err != nil {
		return 0, err
	}
	before, err := markAt(r.order, i-1)
	if err != nil || i == n {
		return before.sum(), err
	}
	if stdout {
		return before.sum() + kept - before.out, nil
	}
	m, err := markAt(r.order, i)
	return before.sum() + m.out - before.out + kept - before.err, err
}

// ReadAt reads from an offset that lies between First and Size on.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if r.stream != Merged {
		return r.file().ReadAt(p, off)
	}
	read := 0
	for read < len(p) {
		f, at, left, err := r.piece(off + int64(read))
		if err != nil {
			return read, err
		}
		n, err := f.ReadAt(p[read:read+int(min(left, int64(len(p)-read)))], at)
		read += n
		if err != nil && !errors.Is(err, io.EOF) {
			return read, err
		}
		if n == 0 {
			return read, io.EOF // cut meanwhile
		}
	}
	return read, nil
}

// piece gives the file, the offset in it, and the bytes that follow each other
// there, of a place in the merged view.
func (r *Reader) piece(off int64) (*os.File, int64, int64, error) {
	mu := stripe(r.sandbox)
	mu.Lock()
	defer mu.Unlock()
	n, _, _, err := lastMarks(r.order)
	if err != nil {
		return nil, 0, 0, err
	}
	i, err := search(r.order, n, func(m mark) bool { return m.sum() > off })
	if err != nil {
		return nil, 0, 0, err
	}
	before, err := markAt(r.order, i-1)
	if err != nil {
		return nil, 0, 0, err
	}
	m := r.tail
	if i < n {
		if m, err = markAt(r.order, i); err != nil {
			return nil, 0, 0, err
		}
	} else if m.out < before.out || m.err < before.err || m.sum() <= off {
		return nil, 0, 0, io.EOF // nothing, or not known yet
	}
	into, ofOut := off-before.sum(), m.out-before.out
	if into < ofOut {
		return r.out, before.out + into, ofOut - into, nil
	}
	into -= ofOut
	return r.err, before.err + into, m.err - before.err - into, nil
}
