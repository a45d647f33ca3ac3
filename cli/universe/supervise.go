package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	// restartFirst and restartMost bound the pause before a dead child is started again.
	restartFirst = 500 * time.Millisecond
	restartMost  = 10 * time.Second
	// restartReset is how long a child must have lived for the pause to start over.
	restartReset = 30 * time.Second
	// stopPatience is how long a child may take to end before it is killed.
	stopPatience = 20 * time.Second
	// maxLine bounds what a lines writer holds back for a line's end, in bytes.
	maxLine = 64 << 10
)

// child is a process that the development cluster keeps alive. It ends by
// itself when its standard input closes, so it never outlives its parent.
type child struct {
	name  string
	argv  []string
	start func(*exec.Cmd) error // how it is started: here, or in a namespace
	log   io.Writer             // what it prints
}

// supervise keeps c running until ctx is done and then waits for its end.
func supervise(ctx context.Context, c child, log *slog.Logger) {
	pause := restartFirst
	for {
		began := time.Now()
		err := runChild(ctx, c)
		if ctx.Err() != nil {
			if err != nil {
				log.Debug("a process of the cluster ended", "process", c.name, "err", err)
			}
			return
		}
		if time.Since(began) > restartReset {
			pause = restartFirst
		}
		log.Warn("a process of the cluster ended and is started again", "process", c.name, "err", err, "in", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, restartMost)
	}
}

// runChild starts c once and waits for its end.
func runChild(ctx context.Context, c child) error {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Stderr, cmd.Stdout = c.log, c.log
	// A terminal's Ctrl-C goes to the whole group; only the parent decides.
	cmd.SysProcAttr = ownGroup()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := c.start(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	_ = stdin.Close() // the child's signal to end; it may have ended already
	select {
	case err := <-done:
		return err
	case <-time.After(stopPatience):
		kill := cmd.Process.Kill()
		return errors.Join(fmt.Errorf("%s did not end within %s and was killed", c.name, stopPatience), kill, <-done)
	}
}

// untilStdinCloses is ctx that also ends when standard input does, for a
// process whose parent holds the other end.
func untilStdinCloses(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // any ending of the pipe means the same
		cancel()
	}()
	return ctx, cancel
}

// lines puts a prefix before each line of what is written to it. Several may
// share mu and out.
type lines struct {
	mu  *sync.Mutex
	out io.Writer
	pre string
	buf []byte
}

// Write passes on whole lines and keeps the rest for the next call.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	for {
		line, rest, whole := bytes.Cut(l.buf, []byte("\n"))
		if !whole && len(l.buf) < maxLine {
			return len(p), nil
		}
		if _, err := fmt.Fprintf(l.out, "%s%s\n", l.pre, line); err != nil {
			return 0, err
		}
		l.buf = append(l.buf[:0], rest...)
	}
}
