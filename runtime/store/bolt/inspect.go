package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/universe-dcos/universe/runtime/store"
)

// Places in a bbolt file (its internal/common: Page and Meta), in bytes. A root
// is a page; there are two, and the sound one with the higher transaction counts.
const (
	pageHeader   = 16
	pageFlags    = 8
	rootSize     = 80
	rootPageSize = pageHeader + 8
	rootFreelist = pageHeader + 32
	rootEnd      = pageHeader + 40 // how many pages the file has
	rootTx       = pageHeader + 48
	rootSum      = pageHeader + 56
	rootMagic    = 0xED0CDAED
	freelistFlag = 0x10
	noFreelist   = ^uint64(0)
	minPage      = 1 << 10
	maxPage      = 1 << 16
)

// inspect sees, before bbolt maps the file into memory, that all of it is there:
// a touch of what is mapped and not there ends the process. No file, or an
// empty one, is a new log.
func inspect(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	root, page := findRoot(f)
	if root == nil {
		return fmt.Errorf("it has %d bytes and no root, so it is not a log or was cut: restore it from a copy: %w", info.Size(), store.ErrDamaged)
	}
	pages := binary.NativeEndian.Uint64(root[rootEnd:])
	if pages > uint64(info.Size())/page {
		return fmt.Errorf("it was cut at byte %d, and its last batch reaches up to page %d of %d bytes: restore it from a copy: %w", info.Size(), pages, page, store.ErrDamaged)
	}
	free := binary.NativeEndian.Uint64(root[rootFreelist:])
	if free == noFreelist {
		return nil
	}
	var head [pageHeader]byte
	if _, err := f.ReadAt(head[:], int64(free*page)); err != nil || binary.NativeEndian.Uint64(head[:]) != free || binary.NativeEndian.Uint16(head[pageFlags:]) != freelistFlag {
		return fmt.Errorf("its page %d, at byte %d, is not the list of free pages that it should be: %w", free, free*page, store.ErrDamaged)
	}
	return nil
}

// findRoot gives the root that counts and the size of a page; nil when none is sound.
func findRoot(f io.ReaderAt) (root []byte, page uint64) {
	if root = soundRoot(f, 0); root != nil {
		page = uint64(binary.NativeEndian.Uint32(root[rootPageSize:]))
		if other := soundRoot(f, int64(page)); other != nil && binary.NativeEndian.Uint64(other[rootTx:]) > binary.NativeEndian.Uint64(root[rootTx:]) {
			root = other
		}
		return root, page
	}
	for page = minPage; page <= maxPage; page *= 2 {
		if root = soundRoot(f, int64(page)); root != nil && uint64(binary.NativeEndian.Uint32(root[rootPageSize:])) == page {
			return root, page
		}
	}
	return nil, 0
}

// soundRoot reads the root at an offset; nil when it does not match its checksum.
func soundRoot(f io.ReaderAt, at int64) []byte {
	b := make([]byte, rootSize)
	if _, err := f.ReadAt(b, at); err != nil {
		return nil
	}
	h := fnv.New64a()
	_, _ = h.Write(b[pageHeader:rootSum])
	page := binary.NativeEndian.Uint32(b[rootPageSize:])
	if binary.NativeEndian.Uint32(b[pageHeader:]) != rootMagic || h.Sum64() != binary.NativeEndian.Uint64(b[rootSum:]) || page < minPage || page > maxPage {
		return nil
	}
	return b
}

// guard calls bbolt, which panics or leaves its memory where its file makes no
// sense, and makes an error of that. Nobody else's code may run inside.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its pages make no sense: %v: %w", p, store.ErrDamaged)
		}
	}()
	return do()
}
