package site

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// browserTimeout ends a browser that hangs, and its test with it.
const browserTimeout = 2 * time.Minute

// browser is a headless Chromium, driven over the pipe of its DevTools
// protocol: no port, no library. All calls are of the test's own goroutine.
type browser struct {
	t       *testing.T
	ctx     context.Context
	to      io.Writer
	session string // of the one page
	last    int

	mu       sync.Mutex
	waiting  map[int]chan message
	loaded   chan struct{} // a value for each page that was loaded
	trouble  []string      // errors on the console, violations of the policy
	requests []string      // addresses of all requests
}

// message is what the browser sends: an answer when it has an ID, else an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// openBrowser starts Chromium with one empty page and ends it with the test.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() && os.Getenv("CI") != "true" {
		t.Skip("-short: a browser takes seconds to start")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not installed, and CI must not skip this")
		}
		t.Skip("chromium is not installed: install the Debian package chromium to test the pages in a browser")
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTimeout)
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its helpers end with it
	toRead, to := pipe(t)
	from, fromWrite := pipe(t)
	cmd.ExtraFiles = []*os.File{toRead, fromWrite} // 3 and 4, as the protocol wants
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, ctx: ctx, to: to, waiting: map[int]chan message{}, loaded: make(chan struct{}, 16)}
	toRead.Close()
	fromWrite.Close()
	done := make(chan struct{})
	go func() { defer close(done); b.read(from) }()
	t.Cleanup(func() {
		cancel()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be gone already
		_ = cmd.Wait()                                      // killed, as it was meant
		from.Close()
		to.Close()
		<-done
	})
	var target struct {
		TargetID string `json:"targetId"`
	}
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// read hands out what the browser sends until it ends.
func (b *browser) read(from io.Reader) {
	in := bufio.NewReader(from)
	for {
		raw, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(raw[:len(raw)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		if m.ID != 0 {
			b.waiting[m.ID] <- m // has room for it
			delete(b.waiting, m.ID)
		}
		b.note(m)
		b.mu.Unlock()
	}
}

// note keeps what a test asks for later.
func (b *browser) note(m message) {
	switch m.Method {
	case "Page.loadEventFired":
		b.loaded <- struct{}{}
	case "Runtime.exceptionThrown":
		b.trouble = append(b.trouble, string(m.Params))
	case "Log.entryAdded":
		var p struct {
			Entry struct{ Level, Text, URL string }
		}
		if json.Unmarshal(m.Params, &p) == nil && p.Entry.Level == "error" {
			b.trouble = append(b.trouble, p.Entry.Text+" "+p.Entry.URL)
		}
	case "Runtime.consoleAPICalled":
		var p struct{ Type string }
		if json.Unmarshal(m.Params, &p) == nil && p.Type == "error" {
			b.trouble = append(b.trouble, string(m.Params))
		}
	case "Network.requestWillBeSent":
		var p struct {
			Request struct{ URL string }
		}
		if json.Unmarshal(m.Params, &p) == nil {
			b.requests = append(b.requests, p.Request.URL)
		}
	}
}

// call asks the browser and waits for the answer.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.last++
	request := map[string]any{"id": b.last, "method": method}
	if params != nil {
		request["params"] = params
	}
	if b.session != "" {
		request["sessionId"] = b.session
	}
	raw, err := json.Marshal(request)
	if err != nil {
		b.t.Fatal(err)
	}
	answer := make(chan message, 1)
	b.mu.Lock()
	b.waiting[b.last] = answer
	b.mu.Unlock()
	if _, err := b.to.Write(append(raw, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
	case <-b.ctx.Done():
		b.t.Fatalf("%s: no answer from the browser: %v", method, context.Cause(b.ctx))
	}
}

// open loads a page. It does not wait for the net to be idle: a page that
// follows the cluster never is.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.waitLoad()
}

func (b *browser) waitLoad() {
	b.t.Helper()
	select {
	case <-b.loaded:
	case <-b.ctx.Done():
		b.t.Fatal("the page was not loaded in time")
	}
}

// eval runs a script in the page and gives its value as text.
func (b *browser) eval(script string) string {
	b.t.Helper()
	var out struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
		ExceptionDetails json.RawMessage `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &out)
	if out.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", script, out.ExceptionDetails)
	}
	return fmt.Sprint(out.Result.Value)
}

// until waits for a condition in the page.
func (b *browser) until(condition string) {
	b.t.Helper()
	b.eval(`new Promise((ok) => { const look = () => (` + condition + `) ? ok(true) : setTimeout(look, 20); look(); })`)
}

// quicken makes the timers of pages to come run faster, and the regular ones
// not at all, so that what is seen comes from the stream of events.
func (b *browser) quicken() {
	b.t.Helper()
	b.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{
		"source": `{ const slow = window.setTimeout; window.setTimeout = (f, ms) => slow(f, ms / 20); window.setInterval = () => 0; }`}, nil)
}

// write types a text where the focus is.
func (b *browser) write(text string) {
	b.t.Helper()
	for _, r := range text {
		b.call("Input.dispatchKeyEvent", map[string]any{"type": "char", "text": string(r)}, nil)
	}
}

// press hits a key that is no letter.
func (b *browser) press(key string, code int, text string) {
	b.t.Helper()
	down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
	b.call("Input.dispatchKeyEvent", down, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
}

// size sets the width of the window and the colour scheme.
func (b *browser) size(width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// shoot writes a picture of the whole page.
func (b *browser) shoot(path string) {
	b.t.Helper()
	var out struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &out)
	png, err := base64.StdEncoding.DecodeString(out.Data)
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// quiet fails when the console shows an error or a request left the origin.
func (b *browser) quiet(origin string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.trouble {
		b.t.Errorf("the console says: %s", text)
	}
	for _, url := range b.requests {
		if !strings.HasPrefix(url, origin+"/") && url != "about:blank" {
			b.t.Errorf("a request went to %s", url)
		}
	}
	b.trouble, b.requests = nil, nil
}
