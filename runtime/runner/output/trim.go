package output

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// MaxStream is the size over which the older half of a stream is given
	// back, in bytes.
	MaxStream = 64 << 20
	// maxOrder is the same for the marks of their order.
	maxOrder = 16 << 20
	// holeUnit is what the edges of a hole are multiples of: more than the
	// block of any file system we know, so that no block is cut.
	holeUnit = 64 << 10
)

// Trim bounds the output of a task that runs. It is for where no Writer does so.
func Trim(sandbox string) error { return trim(sandbox, MaxStream, maxOrder) }

func trim(sandbox string, stream, order int64) error {
	stdout, stderr := Paths(sandbox)
	mu := stripe(sandbox)
	mu.Lock()
	defer mu.Unlock()
	var errs []error
	for path, limit := range map[string]int64{stdout: stream, stderr: stream, orderPath(sandbox): order} {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = errors.Join(trimFile(f, limit), f.Close())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("bound %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func trimFile(f *os.File, limit int64) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	first, err := firstKept(f)
	if err != nil || fi.Size()-first <= limit {
		return err
	}
	if until := cut(first, fi.Size(), limit); until > first {
		return punch(f, until)
	}
	return nil
}

// cut is where what is kept begins when a file is bounded.
func cut(first, size, limit int64) int64 {
	return max(first, (size-limit/2)/holeUnit*holeUnit)
}

// punch gives back what lies before until.
func punch(f *os.File, until int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, until)
	if err != nil {
		return fmt.Errorf("the file system makes no holes: %w", err)
	}
	return nil
}

// firstKept is the offset of the first byte that was not given back.
func firstKept(f *os.File) (int64, error) {
	at, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	switch {
	case err == nil:
		return at / holeUnit * holeUnit, nil
	case errors.Is(err, unix.ENXIO): // no byte at all
		fi, err := f.Stat()
		if err != nil {
			return 0, err
		}
		return fi.Size() / holeUnit * holeUnit, nil
	case errors.Is(err, unix.EINVAL): // a file system without holes
		return 0, nil
	}
	return 0, err
}
