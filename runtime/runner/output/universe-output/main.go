// Command universe-output is the program that containerd's shim starts beside a
// container to take its output (the binary:// logger of containerd): it reads
// standard output from file descriptor 3, standard error from 4, writes both to
// a sandbox, and ends when the container has. It closes descriptor 5 when it is
// ready.
//
//	universe-output sandbox DIRECTORY
//
// It is a program of its own, and small, since there is one for each task.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/universe-dcos/universe/runtime/runner/output"
)

// The file descriptors of containerd's protocol.
const (
	fdStdout = 3
	fdStderr = 4
	fdReady  = 5
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "universe-output:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 || args[0] != "sandbox" {
		return errors.New("usage: universe-output sandbox DIRECTORY; it is started by containerd's shim")
	}
	// What ends the agent or a terminal's session is not for us: we end with
	// the container.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	stdout, stderr := os.NewFile(fdStdout, "stdout"), os.NewFile(fdStderr, "stderr")
	w, err := output.NewWriter(args[1])
	if ready := os.NewFile(fdReady, "ready"); ready != nil {
		err = errors.Join(err, ready.Close())
	}
	if stdout == nil || stderr == nil {
		return errors.Join(err, errors.New("descriptors 3 and 4 are not open"))
	}
	if err != nil {
		// Without files the output is lost, but the task must not wait for us.
		go func() { _, _ = io.Copy(io.Discard, stdout) }()
		_, cerr := io.Copy(io.Discard, stderr)
		return errors.Join(err, cerr)
	}
	return errors.Join(w.Copy(stdout, stderr), w.Close())
}
