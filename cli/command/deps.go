package command

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// Deps is the world outside of the commands.
type Deps struct {
	Version string // of this program; empty: that of the build

	In  io.Reader
	Out io.Writer // data
	Err io.Writer // everything else

	InTerminal  bool
	OutTerminal bool
	ErrTerminal bool
	// Size gives the terminal's width and height in cells; 0, 0 for none.
	Size func() (width, height int)
	// Resized tells whenever the terminal may have another size, until stop is called.
	Resized func() (resized <-chan os.Signal, stop func())
	// Raw makes the terminal of In pass on every key, until restore is called.
	Raw func() (restore func(), err error)

	Getenv func(string) string
	Now    func() time.Time
	// Ticker beats every d until stop is called; it paces what is redrawn.
	Ticker func(d time.Duration) (beat <-chan time.Time, stop func())
	// HTTP carries all requests to a cluster. It has no overall time-out, since
	// logs and events are streams.
	HTTP *http.Client
}

const (
	// dialTimeout bounds how long a connection to a cluster takes to open.
	dialTimeout = 5 * time.Second
	// headerTimeout bounds how long a cluster takes to begin an answer.
	headerTimeout = 60 * time.Second
)

// System is the world of this process, a program of the given version.
func System(version string) Deps {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ResponseHeaderTimeout: headerTimeout,
		MaxIdleConnsPerHost:   8,
		ForceAttemptHTTP2:     true,
	}
	return Deps{
		Version: version,
		In:      os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Size:        terminalSize,
		Resized:     terminalResized,
		Raw:         terminalRaw,
		Getenv:      os.Getenv,
		Now:         time.Now,
		Ticker: func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		},
		HTTP: &http.Client{Transport: transport},
	}
}

func terminalSize() (int, int) {
	for _, f := range []*os.File{os.Stderr, os.Stdout} {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w, h
		}
	}
	return 0, 0
}

func terminalResized() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}

func terminalRaw() (func(), error) {
	fd := int(os.Stdin.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	// A terminal that cannot be restored has gone away.
	return func() { _ = term.Restore(fd, before) }, nil
}
