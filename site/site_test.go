package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/runtime/service"
)

// maxPageBytes is the budget of a page with its script, style and icon.
const maxPageBytes = 50 << 10

// pages are all kinds of pages with a title and a text that must be on each.
var pages = []struct {
	target, title, text string
	status              int
}{
	{"/", "Catalog", "3 packages N nginx 1.22.1 A small and fast web server", 200},
	{"/?q=spark", "“spark” · Catalog", "1 package for “spark” spark 4.3.0", 200},
	{"/?q=sparc", "“sparc” · Catalog", "No package matches “sparc”. Did you mean spark?", 200},
	{"/packages/spark", "spark", "dcos package install spark Installed here: spark 4.3.0, analytics-of-the-night 4.2.1+1, being removed", 200},
	{"/packages/spark?version=4.2.1%2B1", "spark", "dcos package install spark --version 4.2.1+1", 200},
	{"/packages/spark?version=4.0.0", "spark", "This version cannot be installed: yanked", 200},
	{"/packages/nginx", "nginx", "Serves one page.", 200},
	{"/packages/zookeeper", "zookeeper", "An odd number of servers.", 200},
	{"/services", "Services", "spark spark 4.3.0 deploying 1 of 6 ready 4 min ago", 200},
	{"/services/spark", "spark", "deploying, 1 of 6 instances ready", 200},
	{"/services/web", "web", "running, 1 of 1 instance ready", 200},
	{"/nodes", "Nodes", "a2 10.88.0.3 unreachable 40 s ago its tasks hold more than it has now", 200},
	{"/packages/spork", "Not found", `package "spork" is not in the catalog did you mean spark?`, 404},
	{"/packages/spark?version=not+a+version", "Bad request", `version "not a version" is not a version or a range`, 400},
	{"/?page=0", "Bad request", "page=0 is not a number from 1 to 10000", 400},
	{"/?page=2", "Not found", "the list of packages has no page 2", 404},
	{"/services/none", "Not found", "there is no service none", 404},
	{"/nowhere", "Not found", "there is no page /nowhere", 404},
}

func TestPages(t *testing.T) {
	h := newSite(t, plausible)
	assets := 0
	for _, name := range []string{"site.css", "site.js", "icon.svg"} {
		b, err := files.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		assets += len(b)
	}
	for _, p := range pages {
		rec := get(t, h, p.target)
		if rec.Code != p.status {
			t.Errorf("%s: status %d, want %d", p.target, rec.Code, p.status)
		}
		checkPage(t, h, p.target, rec)
		doc := document(t, rec)
		if got, want := words(elements(doc, "title")[0]), p.title+" · Universe"; got != want {
			t.Errorf("%s: title %q, want %q", p.target, got, want)
		}
		if got := words(elements(doc, "main")[0]); !strings.Contains(got, p.text) {
			t.Errorf("%s: want %q in:\n%s", p.target, p.text, got)
		}
		if n := rec.Body.Len() + assets; n > maxPageBytes {
			t.Errorf("%s: %d bytes with its files, the budget is %d", p.target, n, maxPageBytes)
		}
	}
}

func TestPage_empty(t *testing.T) {
	h := newSite(t, func() (*fakeCatalog, *fakeCluster) { return &fakeCatalog{}, &fakeCluster{} })
	for target, want := range map[string]string{"/": "The catalog is empty.", "/services": "Nothing runs yet.", "/nodes": "No node has registered yet."} {
		rec := get(t, h, target)
		checkPage(t, h, target, rec)
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: does not say %q", target, want)
		}
	}
}

func TestPage_internalErrorIsAPageAndIsLogged(t *testing.T) {
	cat, clu := plausible()
	cat.err, clu.err = errors.New("catalog: broken pipe"), errors.New("cluster: broken pipe")
	var log strings.Builder
	h, err := New(Config{Catalog: cat, Cluster: clu, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/packages/spark", "/services", "/services/none", "/nodes", "/"} {
		rec := get(t, h, target)
		if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), "<h1>Internal server error</h1>") {
			t.Errorf("%s: status %d: %s", target, rec.Code, rec.Body)
		}
		checkInline(t, target, document(t, rec))
	}
	if n := strings.Count(log.String(), "broken pipe"); n != 5 {
		t.Errorf("%d of 5 errors were logged:\n%s", n, &log)
	}
}

// A search that a newer one overtakes is given up by the browser: that is no fault.
func TestPage_readerGone(t *testing.T) {
	var log strings.Builder
	h, err := New(Config{Catalog: &fakeCatalog{err: context.Canceled}, Cluster: &fakeCluster{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/?q=s", nil).WithContext(ctx))
	if log.Len() > 0 || rec.Body.Len() > 0 {
		t.Errorf("logged %q and wrote %q for nobody", &log, rec.Body)
	}
}

func TestPolicy(t *testing.T) {
	const want = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
		"form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types universe"
	h := newSite(t, plausible)
	for _, target := range []string{"/", "/nowhere"} {
		header := get(t, h, target).Header()
		for key, want := range map[string]string{
			"Content-Security-Policy": want, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "private, no-cache",
		} {
			if got := header.Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", target, key, got, want)
			}
		}
	}
}

func TestAssets(t *testing.T) {
	h := newSite(t, plausible)
	doc := document(t, get(t, h, "/"))
	types := map[string]string{}
	hashed := regexp.MustCompile(`^/static/[a-z]+\.[0-9a-f]{12}\.(css|js|svg)$`)
	for _, n := range elements(doc, "link", "script") {
		name := attr(n, "href") + attr(n, "src")
		if !hashed.MatchString(name) {
			t.Errorf("%s has no hash in its name", name)
		}
		rec := get(t, h, name)
		if got := rec.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" || rec.Code != 200 {
			t.Errorf("%s: status %d, kept %q", name, rec.Code, got)
		}
		types[name[strings.LastIndex(name, "."):]] = rec.Header().Get("Content-Type")
	}
	want := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	if fmt.Sprint(types) != fmt.Sprint(want) {
		t.Errorf("types %v, want %v", types, want)
	}
	for _, name := range []string{"/static/site.css", "/static/site.000000000000.css", "/static/"} {
		if rec := get(t, h, name); rec.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", name, rec.Code)
		}
	}
}

// crowd is a catalog of n packages.
func crowd(n int) *fakeCatalog {
	var f fakeCatalog
	for i := range n {
		f.packages = append(f.packages, catalog.Detail{Package: catalog.Metadata{
			Name: fmt.Sprintf("package-%s-%03d", strings.Repeat("x", 40), i), Version: mustVersion("1.0.0"),
			Summary: strings.Repeat("words & ", catalog.MaxSummary/8), Keywords: strings.Fields(strings.Repeat("keyword ", catalog.MaxKeywords))}})
	}
	return &f
}

func TestCatalog_leafsAndKeepsTheBudget(t *testing.T) {
	h := newSite(t, func() (*fakeCatalog, *fakeCluster) { return crowd(2*pageSize + 1), &fakeCluster{} })
	seen, target := map[string]bool{}, "/?q=package"
	for i := 1; target != ""; i++ {
		rec := get(t, h, target)
		if n := rec.Body.Len(); n > maxPageBytes {
			t.Errorf("page %d has %d bytes", i, n)
		}
		doc := document(t, rec)
		target = ""
		for _, n := range elements(doc, "a") {
			if strings.HasPrefix(attr(n, "href"), "/packages/") {
				seen[words(n)] = true
			}
			if attr(n, "rel") == "next" {
				target = attr(n, "href")
			}
		}
		if i == 2 && !strings.Contains(words(doc), "97 packages for “package”, 49 to 96") {
			t.Errorf("page 2 does not say where it is: %s", words(byID(doc, "results"))[:80])
		}
	}
	if len(seen) != 2*pageSize+1 {
		t.Errorf("leafing showed %d packages of %d", len(seen), 2*pageSize+1)
	}
}

func TestService_says(t *testing.T) {
	h := newSite(t, plausible)
	got := words(byID(document(t, get(t, h, "/services/spark")), "live"))
	for _, want := range []string{
		"worker active 0 of 4 ready, parallel",
		"held back after a failure next try in 12 s failed 3 times in a row last: failed 30 s ago exit code 137: java.lang.OutOfMemoryError",
		"fits on no node a1: mem: needs 2 GiB, has 512 MiB a2: mem",
		"a4: mem: needs 2 GiB, has 512 MiB and 3 more nodes",
		"its health check fails runs an older specification and will be replaced worker: registering with the master",
		"waits for phase worker",
		"master-0 ready rack1-node07 10.88.0.2 rpc 31000 ui 31001 3 min ago",
		"http://10.88.0.2:31001 master-0, not ready",
		"history no instance has a place yet",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in:\n%s", want, got)
		}
	}
}

func TestService_showsWhatIsNotReadyFirstWhenThereIsNoRoom(t *testing.T) {
	s := running()
	pod := &s.Pods[0]
	for i := range maxRows + 30 {
		in := pod.Instances[0]
		in.Name, in.Index = fmt.Sprintf("server-%d", i), i
		pod.Instances = append(pod.Instances, in)
	}
	last := &pod.Instances[len(pod.Instances)-1]
	last.Ready, last.State = false, service.StateStaging
	name := last.Name
	h := newSite(t, func() (*fakeCatalog, *fakeCluster) { return &fakeCatalog{}, &fakeCluster{list: []service.Status{s}} })
	doc := document(t, get(t, h, "/services/web"))
	rows := elements(elements(doc, "tbody")[0], "tr")
	if len(rows) != maxRows || !strings.HasPrefix(words(rows[0]), name+" staging") {
		t.Errorf("%d rows, the first %q", len(rows), words(rows[0]))
	}
	if !strings.Contains(words(doc), "31 more instances are not shown") {
		t.Error("does not say that some are left out")
	}
	if pod.Instances[0].Name != "server-0" {
		t.Error("the cluster's own list was sorted")
	}
}

func TestSite_onlyReads(t *testing.T) {
	h := newSite(t, plausible)
	for _, target := range []string{"/", "/services", "/packages/spark"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, target, nil))
		if rec.Code < 400 {
			t.Errorf("POST %s: status %d", target, rec.Code)
		}
	}
}
