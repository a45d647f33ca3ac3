package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// childName is the name by which the program knows that it is the child.
	childName = "universe-fetch"
	// fetchUser is whom the child becomes: nobody that tasks run as by default.
	fetchUser = 65533
	// content is the directory the child fills, in the one that it is given.
	content = "content"
	// maxReply bounds what the child says, in bytes.
	maxReply = 64 << 10
	// killWait is how long the pipes of a killed child are waited for.
	killWait = 5 * time.Second
)

// order is what the child is told on its standard input, which stays open until
// the parent ends.
type order struct {
	Artifact  cluster.Artifact `json:"artifact"`
	Dir       string           `json:"dir"`
	Isolate   bool             `json:"isolate"` // runs as root in a mount namespace of its own: give both up
	FileRoots []string         `json:"file_roots"`
	MaxBytes  int64            `json:"max_bytes"`
}

// reply is what the child says on its standard output.
type reply struct {
	Error string `json:"error,omitempty"`
	Kind  string `json:"kind,omitempty"` // which of this package's errors it wraps
}

// The kinds of a reply.
const (
	kindRefused  = "refused"
	kindTooLarge = "too_large"
	kindChecksum = "checksum"
)

// child runs the fetching process to its end.
func (f *Fetcher) child(ctx context.Context, a cluster.Artifact, work string) error {
	root := os.Geteuid() == 0
	line, err := json.Marshal(order{Artifact: a, Dir: work, Isolate: root, FileRoots: f.opts.FileRoots, MaxBytes: f.opts.MaxBytes})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{childName}
	home := work
	if root {
		home = "/tmp"
	}
	cmd.Env = environment(home)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if root {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with git and what it started
	cmd.WaitDelay = killWait
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var out, errs limited
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the fetching process: %w", err)
	}
	_, werr := in.Write(append(line, '\n'))
	err = cmd.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || werr != nil {
		return fmt.Errorf("the fetching process: %w: %s", errors.Join(err, werr), clean(errs.last(), a.Source))
	}
	var r reply
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return fmt.Errorf("the fetching process said %q", clean(out.last(), a.Source))
	}
	return r.err(a.Source)
}

func (r reply) err(src string) error {
	if r.Error == "" {
		return nil
	}
	text := clean(r.Error, src)
	if kind := map[string]error{kindRefused: ErrRefused, kindTooLarge: ErrTooLarge, kindChecksum: ErrChecksum}[r.Kind]; kind != nil {
		return fmt.Errorf("%s: %w", strings.TrimSuffix(text, ": "+kind.Error()), kind)
	}
	return errors.New(text)
}

// environment is all that the child and its programs see of ours: where
// programs and certificates are.
func environment(home string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LC_ALL=C",
		"GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ASKPASS=true",
		"GIT_ALLOW_PROTOCOL=git:http:https:ssh", "GIT_SSH_COMMAND=ssh -o BatchMode=yes",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// limited keeps the first bytes that are written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxReply-l.Len())])
	return len(p), nil
}

// last is the last line of it.
func (l *limited) last() string {
	text := strings.TrimSpace(l.String())
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// init turns this program into the child when it was started as one, before
// anything else of it runs.
func init() {
	if len(os.Args) == 1 && os.Args[0] == childName {
		os.Exit(serve(os.Stdin, os.Stdout, os.Stderr))
	}
}

// serve is the life of the child.
func serve(in io.Reader, out, errs io.Writer) int {
	var o order
	dec := json.NewDecoder(in)
	if err := dec.Decode(&o); err != nil {
		fmt.Fprintln(errs, "order:", err)
		return 1
	}
	go func() { // the parent's end is ours
		_, _ = io.Copy(io.Discard, in)
		_ = syscall.Kill(0, syscall.SIGKILL) // with git and what it started
	}()
	r := reply{}
	if err := o.run(); err != nil {
		r.Error, r.Kind = err.Error(), kindOf(err)
	}
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return 1
	}
	return 0
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, ErrRefused):
		return kindRefused
	case errors.Is(err, ErrTooLarge):
		return kindTooLarge
	case errors.Is(err, ErrChecksum):
		return kindChecksum
	}
	return ""
}
