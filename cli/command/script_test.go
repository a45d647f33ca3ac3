package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"dcos": func() { os.Exit(Main(context.Background(), System("1.2.3-test"), os.Args[1:])) },
	})
}

// TestScripts runs the transcripts of testdata/script against a whole cluster in
// this process. `UPDATE=1 go test -run Scripts` rewrites what they expect.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			url, err := startCluster(t.TempDir(), env.Defer)
			if err != nil {
				return err
			}
			packages, err := filepath.Abs("testdata/packages")
			if err != nil {
				return err
			}
			env.Setenv("DCOS_URL", url)
			env.Setenv("DCOS_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("PACKAGES", packages)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"scrub": scrub, "fails": fails, "waitfor": waitFor},
	})
}

// changing is what differs from run to run, and what a transcript shows for it.
var changing = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "sha256:DIGEST"},
	{regexp.MustCompile(`Plan [0-9a-f]{12}`), "Plan DIGEST"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST:PORT"},
	{regexp.MustCompile(`\b\d+(\.\d+)?s\b`), "TIME"},
	{regexp.MustCompile(`\b(echo[a-z0-9.-]*\.(server|action))\.[0-9a-z]+`), "$1.ID"},
	{regexp.MustCompile(`\b(echo-(?:say|go-wrong))-[0-9a-f]{10}`), "$1-ID"},
	{regexp.MustCompile(`\ba[12]\b`), "AGENT"},
}

// fails runs a command and checks the code it ends with:
//
//	fails 3 dcos service show nope
func fails(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: fails code command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("ended with %v, want exit code %s", err, args[0])
	}
	if got := strconv.Itoa(exit.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// waitFor waits until a service is known to the cluster:
//
//	waitfor echo
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	rt, err := runtimeclient.New(ts.Getenv("DCOS_URL"), nil)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range rt.Events(ctx, runtimeclient.EventOptions{Service: cluster.ServiceID(args[0])}) {
		return
	}
}

// scrub copies a file, or stdout or stderr, with what changes replaced:
//
//	scrub stderr got.txt
func scrub(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: scrub from to")
	}
	text := ts.ReadFile(args[0])
	for _, c := range changing {
		text = c.re.ReplaceAllString(text, c.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
