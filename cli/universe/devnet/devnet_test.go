package devnet

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
)

// TestMain lets the test binary be the process inside a namespace: a listener
// that greets, or a caller that prints the greeting.
func TestMain(m *testing.M) {
	switch addr := os.Getenv("DEVNET_ADDR"); os.Getenv("DEVNET_ROLE") {
	case "listen":
		l, err := net.Listen("tcp", addr)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("listening")
		for {
			c, err := l.Accept()
			if err != nil {
				os.Exit(1)
			}
			fmt.Fprintf(c, "from %s\n", addr)
			c.Close()
		}
	case "call":
		c, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, _ = io.Copy(os.Stdout, c) // the output is compared
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("needs root to make network namespaces; CI must have it")
	}
	t.Skip("needs root to make network namespaces")
}

func TestNet_nodesReachEachOtherAndNothingIsLeft(t *testing.T) {
	needRoot(t)
	n, err := Pick(fmt.Sprintf("t%d", os.Getpid()%100000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Remove(); err != nil {
			t.Error(err)
		}
		if left := n.Left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	if err := n.Create(2); err != nil {
		t.Fatal(err)
	}
	if err := n.Create(2); err != nil {
		t.Fatalf("a second Create must take what stands: %v", err)
	}
	addr := n.Node(0).String() + ":4000"
	stop := listen(t, n, addr)
	defer stop()

	// From the machine, over the bridge.
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(c)
	if want := "from " + addr + "\n"; string(got) != want {
		t.Errorf("from the machine: got %q, want %q", got, want)
	}
	// From the other node.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	call := self("call", addr)
	call.Stdout = w
	if err := n.Start(1, call); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got, _ = io.ReadAll(r)
	if err := call.Wait(); err != nil || string(got) != "from "+addr+"\n" {
		t.Errorf("from node 2: got %q (%v)", got, err)
	}
	// A node's loopback is its own: the machine's own address does not answer.
	if c, err := net.Dial("tcp", "127.0.0.1:4000"); err == nil {
		c.Close()
		t.Error("the node's port is open on the machine's loopback")
	}
}

func self(role, addr string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "DEVNET_ROLE="+role, "DEVNET_ADDR="+addr)
	return cmd
}

// listen starts a listener in node 0 and waits until it says that it listens.
func listen(t *testing.T, n Net, addr string) (stop func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := self("listen", addr)
	cmd.Stdout = w
	if err := n.Start(0, cmd); err != nil {
		t.Fatal(err)
	}
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil || line != "listening\n" {
		t.Fatalf("listener in node 1: %q (%v)", line, err)
	}
	return func() {
		_ = cmd.Process.Kill() // ours, by pid; it may have ended
		_ = cmd.Wait()
	}
}

// TestRemove_beatsTheKernelToIt removes a network over and over: the kernel
// takes interfaces away with their namespace at the same time.
func TestRemove_beatsTheKernelToIt(t *testing.T) {
	needRoot(t)
	n, err := Pick(fmt.Sprintf("r%d", os.Getpid()%100000))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := n.Create(4); err != nil {
			t.Fatal(err)
		}
		if err := n.Remove(); err != nil {
			t.Fatal(err)
		}
		if left := n.Left(); len(left) > 0 {
			t.Fatalf("left behind: %v", left)
		}
	}
}

func TestPick_isStableAndPrivate(t *testing.T) {
	a, err := Pick("abc")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := Pick("abc")
	if a != b {
		t.Errorf("two picks of one tag differ: %v, %v", a, b)
	}
	if first := a.Subnet.Addr().As4(); first[0] != 10 || first[1] < 64 || first[1] > 127 {
		t.Errorf("%v is outside 10.64.0.0/10", a.Subnet)
	}
}
