package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
)

// script makes a program that counts its runs in the file runs, alone on PATH.
func script(t *testing.T, body string) (t1 tool, runs func() int) {
	t.Helper()
	dir := t.TempDir()
	count := filepath.Join(dir, "runs")
	text := "#!/bin/sh\necho x >>" + count + "\n" + body + "\n"
	if err := os.WriteFile(filepath.Join(dir, "client"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return tool{"client", "client-package"}, func() int {
		data, err := os.ReadFile(count)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(data), "x")
	}
}

func noFinal(*toolError) error { return nil }

func TestDownload_triesAgain(t *testing.T) {
	flaky := `n=0; while read -r _; do n=$((n+1)); done <"${0%/*}/runs"; [ $n -ge 3 ] || { echo "connection reset" >&2; exit 1; }`
	client, runs := script(t, flaky)
	b := newMaker(t, &Layer{}).builder
	if err := b.download(t.Context(), client, "thing", b.work, nil, noFinal); err != nil {
		t.Errorf("error %v, want success at the third try", err)
	}
	if runs() != 3 {
		t.Errorf("%d runs, want 3", runs())
	}
}

func TestDownload_givesUp(t *testing.T) {
	client, runs := script(t, "echo 'no route' >&2; exit 7")
	b := newMaker(t, &Layer{}).builder
	err := b.download(t.Context(), client, "thing", b.work, nil, noFinal)
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "no route") || runs() != DownloadTries {
		t.Errorf("error %v after %d runs, want class unavailable, the output, and %d runs", err, runs(), DownloadTries)
	}
}

func TestDownload_doesNotRepeatWhatCannotSucceed(t *testing.T) {
	client, runs := script(t, "echo 'no such thing' >&2; exit 1")
	b := newMaker(t, &Layer{}).builder
	final := func(e *toolError) error {
		if strings.Contains(e.output, "no such thing") {
			return problem.New(problem.NotFound, "%w", e)
		}
		return nil
	}
	if err := b.download(t.Context(), client, "thing", b.work, nil, final); !problem.Is(err, problem.NotFound) || runs() != 1 {
		t.Errorf("error %v after %d runs, want class not_found after 1", err, runs())
	}
}

func TestDownload_withoutTheProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b := newMaker(t, &Layer{}).builder
	err := b.download(t.Context(), pip, "thing", b.work, nil, noFinal)
	if !problem.Is(err, problem.Unavailable) || problem.Of(err).Hint != "install it: apt-get install python3-pip" {
		t.Errorf("error %v, hint %q; want the Debian package named", err, problem.Of(err).Hint)
	}
}

func TestDownload_stopsWithItsContext(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	// The shell runs without end and without a child that could outlive it.
	client, _ := script(t, "echo >"+started+"; while :; do :; done")
	b := newMaker(t, &Layer{}).builder
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	go func() {
		_, _ = os.ReadFile(started) // returns once the shell has written
		cancel(cause)
	}()
	if err := b.download(ctx, client, "thing", b.work, nil, noFinal); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}

func TestTail_keepsTheEnd(t *testing.T) {
	var tl tail
	for range 3 {
		if _, err := tl.Write([]byte(strings.Repeat("a", MaxToolOutput))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tl.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	if got := tl.text(); len(got) != MaxToolOutput || !strings.HasSuffix(got, "aend") {
		t.Errorf("%d bytes that end in %q", len(got), got[len(got)-4:])
	}
}

func TestProgress_doesNotOverlap(t *testing.T) {
	inside := 0
	p := &progress{tell: func(Event) {
		inside++ // the race detector sees an overlap
		inside--
	}}
	dir := folder(t, map[string]string{"a.deb": "12345", "sub/a.deb": "123", "b.txt": "1"})
	stop := p.watch("x", dir)
	for range 100 {
		p.set("y", PhasePack, 1, 2)
	}
	stop()
	if got := p.event; got.Bytes != 5 || got.Phase != PhaseDownload {
		t.Errorf("last event %+v, want 5 bytes of download", got)
	}
}
