package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

const (
	// envBenchAgent has the test binary be an agent, configured by the value.
	envBenchAgent = "UNIVERSE_BENCH_AGENT"
	// benchTasks is how many tasks the measured agent has.
	benchTasks = 100
)

// benchConfig is an agent whose containers cost nothing: what is left is its own.
type benchConfig struct{ Master, Dir string }

func (c benchConfig) agent() (*Agent, error) {
	return New(Config{
		ID: "a1", Hostname: "a1", Host: "127.0.0.1", MasterURL: "http://" + c.Master, StateDir: c.Dir, Runner: &fake.Runner{},
		Total: cluster.Resources{CPU: 1 << 30, Mem: 1 << 49},
	})
}

// benchAgent is an agent until its standard input ends.
func benchAgent() {
	var c benchConfig
	err := json.Unmarshal([]byte(os.Getenv(envBenchAgent)), &c)
	var a *Agent
	if err == nil {
		a, err = c.agent()
	}
	if err == nil {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
		err = a.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func benchMaster(b *testing.B) (*fakeMaster, benchConfig) {
	b.Helper()
	ln, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return newMaster(b, ln), benchConfig{Master: ln.Addr().String(), Dir: b.TempDir()}
}

// launched has tasks launched and waits until they run; it gives how long each
// took from its order to the report.
func launched(m *fakeMaster, tasks int, round int) []time.Duration {
	begun := map[cluster.TaskID]time.Time{}
	for i := range tasks {
		spec := testTask(cluster.TaskID(fmt.Sprintf("s.web-%d.t.%d", i, round)))
		begun[spec.ID] = time.Now()
		m.order(cluster.Order{Kind: cluster.OrderLaunch, Spec: &spec})
	}
	var took []time.Duration
	for len(took) < tasks {
		if s := m.next(); s.State == cluster.TaskRunning {
			took = append(took, time.Since(begun[s.Task]))
		}
	}
	slices.Sort(took)
	return took
}

// BenchmarkLaunch is the agent's own part of a launch: its checkpoints and its
// messages, with containers that cost nothing.
func BenchmarkLaunch(b *testing.B) {
	m, conf := benchMaster(b)
	a, err := conf.agent()
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			b.Errorf("Run: %v", err)
		}
	}()
	<-m.hellos
	round := 0
	var one []time.Duration
	for b.Loop() {
		round++
		one = append(one, launched(m, 1, round)...)
	}
	slices.Sort(one)
	begun := time.Now()
	launched(m, benchTasks, round+1)
	rate := benchTasks / time.Since(begun).Seconds()
	fmt.Fprintf(b.Output(), "figure agent.launch %.1f ms\nfigure agent.launch_rate %.0f /s\n", ms(one[len(one)/2]), rate)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkMemory measures a process that is an agent with benchTasks tasks.
func BenchmarkMemory(b *testing.B) {
	m, conf := benchMaster(b)
	arg, err := json.Marshal(conf)
	if err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	child := exec.CommandContext(b.Context(), self)
	child.Env = append(os.Environ(), envBenchAgent+"="+string(arg))
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = stdin.Close()
		if err := child.Wait(); err != nil {
			b.Errorf("the measured agent: %v", err)
		}
	}()
	<-m.hellos
	idle := resident(b, child.Process.Pid)
	launched(m, benchTasks, 1)
	for b.Loop() { // nothing to repeat: a process grows once
	}
	fmt.Fprintf(b.Output(), "figure agent.mem_idle %.1f MB\nfigure agent.mem %.1f MB\n", idle, resident(b, child.Process.Pid))
}

// resident is the memory of a process that is in RAM, in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		b.Fatalf("no VmRSS in %s", status)
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib * 1024 / 1e6
}
