// Command probe is the one program of the tests' image: see package runnertest
// for the verbs every Runner's suite uses. The others look at the container
// from inside.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if len(os.Args) < 2 {
		fail("no verb")
	}
	arg := ""
	if len(os.Args) > 2 {
		arg = os.Args[2]
	}
	switch os.Args[1] {
	case "exit":
		os.Exit(number(arg))
	case "print":
		fmt.Println(arg)
	case "turns":
		turns(number(arg))
	case "steps":
		steps(number(arg), os.Args[3])
	case "run":
		fmt.Println("ready")
		park()
	case "graceful", "stubborn":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("ready")
		for range c {
			if os.Args[1] == "graceful" {
				return
			}
		}
	case "serve":
		serve(arg, os.Args[3])
	case "fetch":
		fetch(arg)
	case "flood":
		fmt.Print(strings.Repeat("x", number(arg)))
	case "alloc":
		allocate(number(arg))
	case "look":
		look()
	case "read":
		b, err := os.ReadFile(arg)
		if err != nil {
			fail(err.Error())
		}
		os.Stdout.Write(b)
	case "terminal":
		terminal()
	case "cat":
		if n, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			fail(err.Error())
		} else {
			fmt.Fprintln(os.Stderr, "copied", n)
		}
	case "stat":
		if _, err := os.Stat(arg); err != nil {
			fail(err.Error())
		}
	case "fill":
		if err := os.WriteFile(arg, make([]byte, number(os.Args[3])), 0o600); err != nil {
			fail(err.Error())
		}
		fmt.Println("filled", arg)
		park()
	case "write":
		if err := os.WriteFile(arg, []byte("written\n"), 0o600); err != nil {
			fail(err.Error())
		}
		fmt.Println("wrote", arg)
	default:
		fail("unknown verb " + os.Args[1])
	}
}

// serve answers every connection to a port with a text.
func serve(port, text string) {
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		fail(err.Error())
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			fail(err.Error())
		}
		fmt.Fprintf(c, "%s to %s", text, c.RemoteAddr())
		c.Close()
	}
}

// fetch prints what an address answers.
func fetch(address string) {
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		fail(err.Error())
	}
	b, err := io.ReadAll(c)
	if err != nil {
		fail(err.Error())
	}
	fmt.Println(string(b))
}

// turns writes n lines to both streams in turn, slowly enough to be told apart.
func turns(n int) {
	for i := range n {
		fmt.Fprintf(os.Stdout, "out %d\n", i)
		time.Sleep(5 * time.Millisecond)
		fmt.Fprintf(os.Stderr, "err %d\n", i)
		time.Sleep(5 * time.Millisecond)
	}
}

// terminal tells the size of its terminal, at first and when it changes, and
// echoes lines until "bye".
func terminal() {
	winch := make(chan os.Signal, 1)
	signal.Notify(winch, syscall.SIGWINCH)
	size := func() {
		var s [4]uint16
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&s))); e != 0 {
			fail("no terminal: " + e.Error())
		}
		fmt.Printf("size %d x %d\n", s[1], s[0])
	}
	size()
	go func() {
		for range winch {
			size()
		}
	}()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan() && lines.Text() != "bye"; {
		fmt.Println("heard", lines.Text())
	}
	os.Exit(5)
}

// steps writes n lines to both streams in turn, each when the one before was
// answered with a file of its name in dir.
func steps(n int, dir string) {
	for i := range n {
		for _, to := range []struct {
			stream *os.File
			name   string
		}{{os.Stdout, "out"}, {os.Stderr, "err"}} {
			fmt.Fprintf(to.stream, "%s %d\n", to.name, i)
			for {
				if _, err := os.Stat(fmt.Sprintf("%s/%s-%d", dir, to.name, i)); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// park waits for ever; a select without cases would be seen as a deadlock.
func park() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	for range c {
	}
}

// allocate touches n MiB and keeps them.
func allocate(n int) {
	var kept [][]byte
	for range n {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	fmt.Println("holds", len(kept), "MiB")
	park()
}

// look prints what the container is like, one "key=value" a line.
func look() {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	var files syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	fmt.Printf("uid=%d\ngid=%d\npid=%d\nhostname=%s\nworkdir=%s\nnofile=%d\n", os.Getuid(), os.Getgid(), os.Getpid(), host, dir, files.Cur)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		k, v, _ := strings.Cut(line, ":")
		switch k {
		case "NoNewPrivs", "Seccomp", "CapEff", "CapBnd":
			fmt.Printf("%s=%s\n", k, strings.TrimSpace(v))
		}
	}
	net, _ := os.Readlink("/proc/self/ns/net")
	fmt.Println("net=" + net)
	for _, e := range os.Environ() {
		fmt.Println("env." + e)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		fail(err.Error())
	}
	return n
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "probe:", why)
	os.Exit(99)
}
