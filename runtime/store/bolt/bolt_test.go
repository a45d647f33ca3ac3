package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"github.com/universe-dcos/universe/runtime/store"
	"github.com/universe-dcos/universe/runtime/store/storetest"
)

// open opens a log that verifies its whole file after each transaction and
// does not wait for the disk: the tests are about content.
func open(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.db.StrictMode = true
	l.db.NoSync = true
	return l
}

func TestLog(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Open {
		dir, err := os.MkdirTemp(t.TempDir(), "log")
		if err != nil {
			t.Fatal(err)
		}
		return func(t testing.TB) store.Log { return open(t, dir) }
	})
}

func TestOpen_locked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "master")
	l := open(t, dir)
	defer l.Close()
	_, err := Open(dir)
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "another master uses the directory "+dir) {
		t.Errorf("second open of %s: %v", dir, err)
	}
}

func TestOpen_refusesNewerFormat(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if err := l.db.Update(func(tx *bbolt.Tx) error {
		return put(tx.Bucket(metaBucket), formatKey, format+1)
	}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(dir); err == nil {
		l.Close()
		t.Error("a file of a newer format was opened")
	}
}

func TestOpen_refusesOtherFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte(strings.Repeat("no log at all ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(dir); err == nil {
		l.Close()
		t.Error("a file that is no log was opened")
	}
}

// TestOpen_tornCommit spoils the newer of bbolt's two roots, as a crash in the
// last write of a commit would: the batch is away as a whole, the one before is there.
func TestOpen_tornCommit(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	ctx := context.Background()
	for _, batch := range [][][]byte{{[]byte("1"), []byte("2")}, {[]byte("3"), []byte("4")}} {
		if _, err := l.Append(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, File)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const txid = 64 // offset of the transaction's number in a root page
	page := os.Getpagesize()
	newer := 0
	if binary.NativeEndian.Uint64(data[page+txid:]) > binary.NativeEndian.Uint64(data[txid:]) {
		newer = page
	}
	data[newer+txid+1] ^= 0xff
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	defer l.Close()
	if l.LastIndex() != 2 {
		t.Errorf("last index is %d, want 2", l.LastIndex())
	}
	if last, err := l.Append(ctx, [][]byte{[]byte("3 again")}); err != nil || last != 3 {
		t.Errorf("append after the crash: index %d, %v", last, err)
	}
}

func TestReplay_missingEntry(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	ctx := context.Background()
	for _, e := range []string{"1", "2", "3"} {
		if _, err := l.Append(ctx, [][]byte{[]byte(e)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(logBucket).Delete(number(2)) }); err != nil {
		t.Fatal(err)
	}
	err := l.Replay(ctx, 1, func(int64, []byte) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "entry 2 is missing") {
		t.Errorf("replay over a hole: %v", err)
	}
}

// BenchmarkAppend is durable batches of 256 commands of 500 bytes: the most that
// a master takes together.
func BenchmarkAppend(b *testing.B) {
	l, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	batch := make([][]byte, 256)
	for i := range batch {
		batch[i] = []byte(strings.Repeat("x", 500))
	}
	for b.Loop() {
		if _, err := l.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	rate := float64(b.N*len(batch)) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "entries/s")
	fmt.Printf("figure store.append_batch.256 %.0f entries/s\n", rate)
}
