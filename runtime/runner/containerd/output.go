package containerd

import (
	"os"

	"github.com/containerd/containerd/v2/pkg/cio"

	"github.com/universe-dcos/universe/runtime/runner/output"
)

// outputProgram is the name of our logger in a bundle (runner/output/universe-output).
const outputProgram = "universe-output"

// outputOf makes the IO of a task: our logger takes it, or else the shim appends
// to both files by itself. Either lives as long as the task and needs nobody.
func (r *Runner) outputOf(sandbox string) cio.Creator {
	if r.opts.Output != "" {
		return cio.BinaryIO(r.opts.Output, map[string]string{"sandbox": sandbox})
	}
	stdout, stderr := output.Paths(sandbox)
	return func(string) (cio.IO, error) { return files{cio.Config{Stdout: stdout, Stderr: stderr}}, nil }
}

// files is the output of a container into two files. The shim takes plain paths
// of files and appends to each; there is nothing on our side to keep open.
type files struct{ config cio.Config }

// Config implements cio.IO.
func (f files) Config() cio.Config { return f.config }

// Cancel implements cio.IO.
func (files) Cancel() {}

// Wait implements cio.IO.
func (files) Wait() {}

// Close implements cio.IO.
func (files) Close() error { return nil }

// programIn gives a program of a directory, or nothing when it is not there.
func programIn(path string) string {
	if fi, err := os.Stat(path); err != nil || !fi.Mode().IsRegular() || fi.Mode()&0o111 == 0 {
		return ""
	}
	return path
}
