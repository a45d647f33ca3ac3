package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// task writes the two streams of a task as its shim does.
type task struct {
	t   testing.TB
	dir string
}

func (k task) write(stream Stream, text string) {
	k.t.Helper()
	f, err := os.OpenFile(filepath.Join(k.dir, string(stream)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		k.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		k.t.Fatal(err)
	}
}

func (k task) note() {
	k.t.Helper()
	if err := Note(k.dir); err != nil {
		k.t.Fatal(err)
	}
}

// read gives all that is kept of a view, and where it begins.
func (k task) read(stream Stream) (string, int64) {
	k.t.Helper()
	r, err := Open(k.dir, stream)
	if err != nil {
		k.t.Fatal(err)
	}
	defer r.Close()
	first, err := r.First()
	if err != nil {
		k.t.Fatal(err)
	}
	size, err := r.Size()
	if err != nil {
		k.t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(r, first, 1<<62))
	if err != nil || int64(len(b)) != size-first {
		k.t.Fatalf("view %q: got %d bytes, %v, want those from %d to %d", stream, len(b), err, first, size)
	}
	return string(b), first
}

func newTask(t testing.TB) task {
	k := task{t, t.TempDir()}
	k.write(Stdout, "")
	k.write(Stderr, "")
	return k
}

func TestMerged_isInTheOrderThatWasNoted(t *testing.T) {
	k := newTask(t)
	for _, w := range []struct {
		stream Stream
		text   string
	}{{Stdout, "a"}, {Stdout, "b"}, {Stderr, "X"}, {Stdout, "c"}, {Stderr, "Y"}, {Stderr, "Z"}} {
		k.write(w.stream, w.text)
		k.note()
	}
	k.write(Stderr, "late") // while nobody notes: stdout goes first
	k.write(Stdout, "early")
	for _, c := range []struct {
		stream Stream
		want   string
	}{{Merged, "abXcYZearlylate"}, {Stdout, "abcearly"}, {Stderr, "XYZlate"}} {
		if got, _ := k.read(c.stream); got != c.want {
			t.Errorf("view %q: got %q, want %q", c.stream, got, c.want)
		}
	}
	fi, err := os.Stat(orderPath(k.dir))
	if err != nil || fi.Size() != 5*recordSize {
		t.Errorf("order file: got %d bytes, %v, want 5 marks: one for each change of stream", fi.Size(), err)
	}
}

// TestMerged_anyHistory compares with a plain buffer.
func TestMerged_anyHistory(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		k := newTask(t)
		var want bytes.Buffer
		for i := range rnd.IntN(40) {
			stream, letter := Stdout, byte('a')
			if rnd.IntN(2) == 0 {
				stream, letter = Stderr, 'A'
			}
			text := strings.Repeat(string(letter+byte(i%26)), 1+rnd.IntN(5))
			k.write(stream, text)
			k.note()
			want.WriteString(text)
		}
		if got, _ := k.read(Merged); got != want.String() {
			t.Fatalf("seed %d: got %q, want %q", seed, got, want.String())
		}
		r, err := Open(k.dir, Merged)
		if err != nil {
			t.Fatal(err)
		}
		for off := range int64(want.Len()) {
			b := make([]byte, 3)
			n, err := r.ReadAt(b, off)
			rest := want.Bytes()[off:]
			if n != min(3, len(rest)) || string(b[:n]) != string(rest[:n]) || (n < 3) != errors.Is(err, io.EOF) {
				t.Fatalf("seed %d at %d: got %q, %v", seed, off, b[:n], err)
			}
		}
		r.Close()
	}
}

func TestMerged_aCutMarkAndACutStream(t *testing.T) {
	k := newTask(t)
	k.write(Stdout, "one ")
	k.note()
	k.write(Stderr, "two ")
	k.note()
	if err := os.Truncate(orderPath(k.dir), recordSize+5); err != nil { // killed while it wrote
		t.Fatal(err)
	}
	if got, _ := k.read(Merged); got != "one two " {
		t.Errorf("with a cut mark: got %q", got)
	}
	if err := os.Truncate(filepath.Join(k.dir, "stdout"), 0); err != nil {
		t.Fatal(err)
	}
	k.write(Stdout, "new")
	if got, _ := k.read(Merged); got != "newtwo " {
		t.Errorf("with a cut stream: got %q, want what there is", got)
	}
}

func TestTrim_keepsOffsetsAndTheNewerHalf(t *testing.T) {
	const limit = 8 * holeUnit
	k := newTask(t)
	line := strings.Repeat("x", 1023) + "\n"
	var all bytes.Buffer
	for i := range 2 * limit / len(line) {
		k.write(Stdout, line)
		k.note()
		all.WriteString(line)
		if i%100 == 0 {
			k.write(Stderr, "err\n")
			k.note()
			all.WriteString("err\n")
		}
	}
	if err := trim(k.dir, limit, 1<<30); err != nil {
		t.Fatal(err)
	}
	got, first := k.read(Stdout)
	if len(got) < limit/2 || len(got) > limit/2+holeUnit || first != 2*limit-int64(len(got)) || strings.Trim(got, "x\n") != "" {
		t.Errorf("stdout: got %d bytes from %d on", len(got), first)
	}
	merged, first := k.read(Merged)
	if merged != all.String()[first:] || len(merged) < len(got) || strings.Contains(merged, "\x00") {
		t.Errorf("merged: got %d bytes from %d on, want the end of what came", len(merged), first)
	}
	if err := trim(k.dir, 1<<30, holeUnit/4); err != nil { // too few marks for a hole
		t.Fatal(err)
	}
	k.write(Stderr, "after\n")
	if again, at := k.read(Merged); again != merged+"after\n" || at != first {
		t.Errorf("merged after one more line: got %d bytes from %d on", len(again), at)
	}
}

func TestTrim_boundsTheOrder(t *testing.T) {
	k := newTask(t)
	for range 6000 {
		k.write(Stdout, "o")
		k.note()
		k.write(Stderr, "E")
		k.note()
	}
	if err := trim(k.dir, 1<<30, 64<<10); err != nil {
		t.Fatal(err)
	}
	got, first := k.read(Merged)
	if first == 0 || int64(len(got)) != 12000-first || strings.Trim(got, "oE") != "" || strings.Contains(got, "oo") {
		t.Errorf("got %d bytes from %d on, want the newer ones in order", len(got), first)
	}
	if out, at := k.read(Stdout); len(out) != 6000 || at != 0 {
		t.Errorf("stdout: got %d bytes from %d on, want all", len(out), at)
	}
}

func (k task) writer() *Writer {
	k.t.Helper()
	w, err := NewWriter(k.dir)
	if err != nil {
		k.t.Fatal(err)
	}
	return w
}

func TestWriter_itsOrderIsReadWhileItWrites(t *testing.T) {
	k := newTask(t)
	w := k.writer()
	r, err := Open(k.dir, Merged)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	var want, got bytes.Buffer
	follow := func() {
		t.Helper()
		if _, err := r.Size(); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(r, int64(got.Len()), 1<<62))
		if err != nil {
			t.Fatal(err)
		}
		got.Write(b)
		if got.String() != want.String() {
			t.Fatalf("followed: got %q, want %q", got.String(), want.String())
		}
	}
	for i := range 300 {
		s, text := &w.out, fmt.Sprintf("o%d ", i)
		if rnd.IntN(2) == 0 {
			s, text = &w.err, fmt.Sprintf("e%d ", i)
		}
		w.write(s, []byte(text))
		want.WriteString(text)
		if rnd.IntN(3) == 0 {
			follow()
		}
		if i == 150 { // another takes its place, as after a restart
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			follow()
			w = k.writer()
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Settled(t.Context(), k.dir, time.Minute)
	}()
	if !Live(k.dir) {
		t.Error("a Writer at work: not seen")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	if Live(k.dir) {
		t.Error("no Writer at work: one was seen")
	}
	follow()
}

func TestWriter_copiesToTheEnds(t *testing.T) {
	k := newTask(t)
	w := k.writer()
	if err := w.Copy(strings.NewReader(strings.Repeat("o", 200_000)), strings.NewReader("e")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if out, _ := k.read(Stdout); out != strings.Repeat("o", 200_000) {
		t.Errorf("stdout: got %d bytes", len(out))
	}
	if both, _ := k.read(Merged); len(both) != 200_001 {
		t.Errorf("merged: got %d bytes", len(both))
	}
}

func TestWriter_boundsAStreamByItself(t *testing.T) {
	k := newTask(t)
	w := k.writer()
	w.limit = 4 * holeUnit
	for range 20 {
		w.write(&w.out, bytes.Repeat([]byte("x"), holeUnit))
		if kept := w.out.size - w.out.first; kept > w.limit {
			t.Fatalf("kept: got %d bytes, want at most %d", kept, w.limit)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out, first := k.read(Stdout)
	if first == 0 || int64(len(out))+first != 20*holeUnit || strings.Trim(out, "x") != "" {
		t.Errorf("stdout: got %d bytes from %d on", len(out), first)
	}
}

// TestWriter_noRoom lets the file have a limit of size, which the kernel reports
// as it does a full disk: to the write.
func TestWriter_noRoom(t *testing.T) {
	k := newTask(t)
	w := k.writer()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	disk := w.out.file
	w.out.file = full
	w.write(&w.out, []byte("lost"))
	w.write(&w.out, []byte("and lost"))
	w.out.file = disk
	w.write(&w.out, []byte("kept"))
	if err := errors.Join(full.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	out, _ := k.read(Stdout)
	if !strings.HasPrefix(out, "\n[12 bytes of output were lost") || !strings.HasSuffix(out, "]\nkept") {
		t.Errorf("stdout: got %q, want the loss named", out)
	}
}

func TestOpen_beforeThereIsAny(t *testing.T) {
	if _, err := Open(t.TempDir(), Merged); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	if _, err := ParseStream("order"); err == nil {
		t.Error("a stream of another name: got no error")
	}
}
