package site

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/universe-dcos/universe/runtime/service"
)

// icon is a picture as a package may bring it.
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="10" height="10" rx="2" fill="#e25a1c"/><circle cx="5" cy="5" r="3" fill="#fff"/></svg>`

// host is a server of the site with the parts of the API that pages use.
type host struct {
	origin string
	events chan string // what is sent goes to a page that follows; empty ends its stream
	down   atomic.Bool // whether a new stream is refused
}

func serve(t *testing.T, fakes func() (*fakeCatalog, *fakeCluster)) *host {
	t.Helper()
	h := &host{events: make(chan string)}
	mux := http.NewServeMux()
	mux.Handle("/", newSite(t, fakes))
	mux.HandleFunc("GET /v1/packages/{name}/icon", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprint(w, icon)
	})
	mux.HandleFunc("GET /v1/events", h.stream)
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	h.origin = srv.URL
	return h
}

func (h *host) stream(w http.ResponseWriter, r *http.Request) {
	if h.down.Load() {
		http.Error(w, "the master is away", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	ctl := http.NewResponseController(w)
	for text := "retry: 50\n\n"; ; {
		fmt.Fprint(w, text)
		if ctl.Flush() != nil {
			return
		}
		select {
		case kind := <-h.events:
			if kind == "" {
				return
			}
			text = "event: " + kind + "\ndata: {}\n\n"
		case <-r.Context().Done():
			return
		}
	}
}

// tell sends an event to the page.
func (h *host) tell(b *browser, kind string) {
	b.t.Helper()
	select {
	case h.events <- kind:
	case <-b.ctx.Done():
		b.t.Fatal("the page does not listen to the cluster")
	}
}

func TestBrowser_searchAsYouType(t *testing.T) {
	h := serve(t, plausible)
	b := openBrowser(t)
	b.open(h.origin + "/")
	b.eval(`window.same = true`)
	b.until(`document.activeElement.id === "q"`)
	b.write("web")
	b.until(`document.querySelectorAll(".card").length === 1 && document.title === "“web” · Catalog · Universe" && location.search === "?q=web"`)
	if got := b.eval(`document.querySelector("[role=status]").textContent + document.querySelector(".card a").textContent + document.activeElement.value + window.same`); got != "1 package for “web”nginxwebtrue" {
		t.Errorf("after typing: %s", got)
	}
	b.write("zz")
	b.until(`document.querySelector(".empty") && document.querySelector(".note a[href='/packages/spark']")`)
	b.eval(`document.getElementById("q").select()`)
	b.press("Backspace", 8, "")
	b.until(`document.querySelectorAll(".card").length === 3 && location.search === ""`)
	if b.eval(`window.same`) != "true" {
		t.Error("the page was loaded anew")
	}
	b.quiet(h.origin)
}

func TestBrowser_searchTellsWhenTheCatalogIsDown(t *testing.T) {
	cat, clu := plausible()
	h := serve(t, func() (*fakeCatalog, *fakeCluster) { return cat, clu })
	b := openBrowser(t)
	b.open(h.origin + "/")
	b.eval(`window.fetch = () => Promise.reject(new TypeError("no net"))`)
	b.write("x")
	b.until(`document.querySelector("[role=status]").textContent.startsWith("The catalog does not answer.")`)
	if got := b.eval(`document.querySelectorAll(".card").length + " " + document.getElementById("results").hasAttribute("aria-busy")`); got != "3 false" {
		t.Errorf("cards and state: %s", got)
	}
	b.quiet(h.origin)
}

func TestBrowser_withoutScripts(t *testing.T) {
	h := serve(t, plausible)
	b := openBrowser(t)
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	b.open(h.origin + "/")
	b.eval(`document.getElementById("q").focus()`)
	b.write("spark")
	b.press("Enter", 13, "\r")
	b.waitLoad()
	if got := b.eval(`location.search + " " + document.querySelectorAll(".card").length + " " + document.getElementById("q").value`); got != "?q=spark 1 spark" {
		t.Errorf("search by form: %s", got)
	}
	for target, want := range map[string]string{"/packages/spark": "dcos package install spark", "/services/spark": "1 of 6 instances ready"} {
		b.open(h.origin + target)
		if got := b.eval(`document.body.innerText`); !strings.Contains(got, want) {
			t.Errorf("%s: does not say %q", target, want)
		}
	}
	b.quiet(h.origin)
}

func TestBrowser_followsTheCluster(t *testing.T) {
	cat, clu := plausible()
	h := serve(t, func() (*fakeCatalog, *fakeCluster) { return cat, clu })
	b := openBrowser(t)
	b.quicken()
	b.open(h.origin + "/services/spark")
	b.eval(`window.same = true`)
	link := `document.querySelector("#live a[href='http://10.88.0.2:31001']")`
	b.eval(`window.node = ` + link + `; node.focus()`)
	// The page asks for itself again once the stream is open.
	b.until(`performance.getEntriesByType("resource").some((e) => e.initiatorType === "fetch")`)
	s := deploying()
	s.State, s.Ready = service.ServiceRunning, 6
	clu.set(s)
	h.tell(b, "task.updated")
	b.until(`document.querySelector("#live [role=status]").textContent === "running, 6 of 6 instances ready"`)
	if got := b.eval(`[window.same, document.activeElement === node, ` + link + ` === node, document.querySelector("progress").value, document.getElementById("stale").hidden].join()`); got != "true,true,true,6,true" {
		t.Errorf("same page, focus kept, node kept, progress, stale hidden: %s", got)
	}
	b.quiet(h.origin)
	clu.set()
	h.tell(b, "service.forgotten")
	b.waitLoad()
	b.until(`document.title === "Not found · Universe"`)
}

func TestBrowser_tellsWhenTheClusterIsAway(t *testing.T) {
	h := serve(t, plausible)
	b := openBrowser(t)
	b.quicken()
	b.open(h.origin + "/nodes")
	h.tell(b, "task.updated") // the stream is open
	h.down.Store(true)
	h.tell(b, "")
	b.until(`!document.getElementById("stale").hidden`)
	h.down.Store(false)
	b.until(`document.getElementById("stale").hidden`)
	h.tell(b, "agent.gone")
}

// What a hostile package tries is stopped before the policy has to stop it.
func TestBrowser_hostile(t *testing.T) {
	h := serve(t, hostile)
	b := openBrowser(t)
	for _, target := range []string{"/", "/packages/spark?version=1.0.0", "/services", "/services/spark", "/nodes"} {
		b.open(h.origin + target)
		b.until(`document.readyState === "complete"`)
		b.quiet(h.origin)
	}
}

// A keyboard user sees where the focus is, and gets to the content at once.
func TestBrowser_keyboard(t *testing.T) {
	h := serve(t, plausible)
	b := openBrowser(t)
	for _, target := range []string{"/", "/packages/spark", "/services", "/services/spark", "/nodes"} {
		b.open(h.origin + target)
		b.eval(`document.activeElement.blur()`)
		want, _ := strconv.Atoi(b.eval(`String([...document.querySelectorAll("a, input, button")].length)`))
		b.call("Runtime.evaluate", map[string]any{"expression": `window.met = new Set(); window.bare = []`}, nil)
		for range want + 2 { // beyond the last is the browser's own
			b.press("Tab", 9, "")
			b.eval(`(() => {
				const e = document.activeElement, ring = (s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
				if (e === document.body) return;
				met.add(e);
				if (!ring(getComputedStyle(e)) && !ring(getComputedStyle(e, "::after"))) bare.push(e.outerHTML);
				const r = e.getBoundingClientRect();
				if (r.right < 0 || r.left > innerWidth) bare.push("out of sight: " + e.outerHTML);
			})()`)
		}
		if got := b.eval(`met.size`); got != fmt.Sprint(want) {
			t.Errorf("%s: the Tab key meets %s of %d things", target, got, want)
		}
		if bare := b.eval(`bare.join("\n")`); bare != "" {
			t.Errorf("%s: no focus can be seen on\n%s", target, bare)
		}
	}
	b.open(h.origin + "/services/spark")
	b.press("Tab", 9, "")
	b.press("Enter", 13, "\r")
	b.until(`location.hash === "#main" && document.activeElement.id === "main"`)
	b.quiet(h.origin)
}

// TestBrowser_looks holds each page at the width of a desk, a phone and a small
// phone: nothing sticks out, no error on the console. With SITE_SHOTS=DIR it
// leaves pictures there in both schemes, to be looked at.
func TestBrowser_looks(t *testing.T) {
	shots := os.Getenv("SITE_SHOTS")
	plain := serve(t, plausible)
	long := serve(t, func() (*fakeCatalog, *fakeCluster) {
		s := longNames()
		clu := &fakeCluster{list: []service.Status{s, running()}}
		_, p := plausible()
		clu.agents = p.agents
		clu.agents[0].Info.Hostname = string(s.ID)
		return crowd(pageSize + 5), clu
	})
	empty := serve(t, func() (*fakeCatalog, *fakeCluster) { return &fakeCatalog{}, &fakeCluster{} })
	b := openBrowser(t)
	for _, page := range []struct{ name, url string }{
		{"catalog", plain.origin + "/"}, {"catalog-near", plain.origin + "/?q=sparc"}, {"catalog-long", long.origin + "/"}, {"catalog-empty", empty.origin + "/"},
		{"package", plain.origin + "/packages/spark"}, {"package-bare", plain.origin + "/packages/zookeeper"}, {"package-none", plain.origin + "/packages/none"},
		{"services", plain.origin + "/services"}, {"services-long", long.origin + "/services"}, {"services-empty", empty.origin + "/services"},
		{"service", plain.origin + "/services/spark"}, {"service-well", plain.origin + "/services/web"}, {"service-going", plain.origin + "/services/analytics-of-the-night"},
		{"service-long", long.origin + "/services/" + string(longNames().ID)},
		{"nodes", plain.origin + "/nodes"}, {"nodes-long", long.origin + "/nodes"}, {"nodes-empty", empty.origin + "/nodes"},
	} {
		b.size(1100, "light")
		b.open(page.url)
		for _, width := range []int{1100, 390, 320} {
			b.size(width, "light")
			for _, scheme := range []string{"light", "dark"} {
				if shots != "" {
					b.size(width, scheme)
					b.shoot(filepath.Join(shots, fmt.Sprintf("%s-%d-%s.png", page.name, width, scheme)))
				}
			}
			wide := b.eval(`[...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, pre, .skip, .unseen, thead") &&
				e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 120)).slice(0, 3).join("\n")`)
			if scroll := b.eval(`document.documentElement.scrollWidth > innerWidth`); wide != "" || scroll != "false" {
				t.Errorf("%s at %d px: sticks out (page scrolls: %s):\n%s", page.name, width, scroll, wide)
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.trouble {
		if !strings.Contains(text, "status of 404") { // one of the pages is that answer
			t.Errorf("the console says: %s", text)
		}
	}
}
