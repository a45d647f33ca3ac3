package site

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// document parses an answer.
func document(t testing.TB, rec *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(rec.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// elements lists the elements of a document with one of the names; none: all.
func elements(doc *html.Node, names ...string) []*html.Node {
	var out []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && (len(names) == 0 || slices.Contains(names, n.Data)) {
			out = append(out, n)
		}
	}
	return out
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

// words is the text of a node with single spaces.
func words(n *html.Node) string {
	var b strings.Builder
	if n.Type == html.TextNode {
		b.WriteString(n.Data)
	}
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		} else if d.Type == html.ElementNode {
			b.WriteString(" ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func byID(doc *html.Node, id string) *html.Node {
	for _, n := range elements(doc) {
		if attr(n, "id") == id {
			return n
		}
	}
	return nil
}

// checkPage holds a page to what holds for all of them.
func checkPage(t *testing.T, h http.Handler, target string, rec *httptest.ResponseRecorder) {
	t.Helper()
	if got := rec.Header().Get("Content-Security-Policy"); got != policy {
		t.Errorf("%s: policy %q, want %q", target, got, policy)
	}
	if got := rec.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("%s: type %q", target, got)
	}
	doc := document(t, rec)
	checkInline(t, target, doc)
	checkHeadings(t, target, doc)
	checkNames(t, target, doc)
	checkLinks(t, h, target, doc)
}

// checkInline finds what the policy would stop: the page would be broken, or an attack worked.
func checkInline(t *testing.T, target string, doc *html.Node) {
	t.Helper()
	for _, n := range elements(doc) {
		switch {
		case n.Data == "style" || n.Data == "iframe" || n.Data == "object" || n.Data == "embed" || n.Data == "base" || n.Data == "foreignobject":
			t.Errorf("%s: has an element %s", target, n.Data)
		case n.Data == "script" && (!strings.HasPrefix(attr(n, "src"), "/static/site.") || n.FirstChild != nil):
			t.Errorf("%s: has a script that is not ours", target)
		case n.Data == "img" && !strings.HasPrefix(attr(n, "src"), "/"):
			t.Errorf("%s: has a picture from %s", target, attr(n, "src"))
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s: <%s> has the attribute %s=%q", target, n.Data, a.Key, a.Val)
			}
			if v := strings.ToLower(strings.TrimSpace(a.Val)); strings.HasPrefix(v, "javascript:") || strings.HasPrefix(v, "data:") {
				t.Errorf("%s: <%s> has %s=%q", target, n.Data, a.Key, a.Val)
			}
		}
	}
}

// checkHeadings wants one h1, no level skipped, and a title.
func checkHeadings(t *testing.T, target string, doc *html.Node) {
	t.Helper()
	last := 0
	for i, n := range elements(doc, "h1", "h2", "h3", "h4", "h5", "h6") {
		level := int(n.Data[1] - '0')
		if i == 0 && level != 1 || i > 0 && level == 1 || level > last+1 {
			t.Errorf("%s: heading %q is an h%d after an h%d", target, words(n), level, last)
		}
		last = level
	}
	if last == 0 {
		t.Errorf("%s: has no heading", target)
	}
	if title := elements(doc, "title"); len(title) == 0 || !strings.HasSuffix(words(title[0]), " · Universe") {
		t.Errorf("%s: has no title", target)
	}
}

// checkNames wants a name for all that is read out without its looks, and ids
// that are used once.
func checkNames(t *testing.T, target string, doc *html.Node) {
	t.Helper()
	labelled, ids := map[string]bool{}, map[string]bool{}
	for _, n := range elements(doc, "label") {
		labelled[attr(n, "for")] = words(n) != ""
	}
	for _, n := range elements(doc) {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("%s: the id %s is there twice", target, id)
			}
			ids[id] = true
		}
		named := attr(n, "aria-label") != "" || attr(n, "aria-labelledby") != ""
		switch n.Data {
		case "progress", "nav", "section", "aside":
			if !named {
				t.Errorf("%s: a %s has no name", target, n.Data)
			}
		case "input":
			if !named && !labelled[attr(n, "id")] {
				t.Errorf("%s: the field %s has no label", target, attr(n, "name"))
			}
		case "a", "button":
			if !named && words(n) == "" {
				t.Errorf("%s: a %s without text: %s", target, n.Data, attr(n, "href"))
			}
		case "img":
			if !hasAttr(n, "alt") {
				t.Errorf("%s: a picture without alt", target)
			}
		case "th":
			if attr(n, "scope") == "" && !inside(n, "prose") {
				t.Errorf("%s: the table head %q has no scope", target, words(n))
			}
		}
	}
}

func inside(n *html.Node, class string) bool {
	for p := range n.Ancestors() {
		if attr(p, "class") == class {
			return true
		}
	}
	return false
}

// checkLinks follows each link of a page that leads into the site.
func checkLinks(t *testing.T, h http.Handler, target string, doc *html.Node) {
	t.Helper()
	for _, n := range elements(doc, "a", "link", "script", "form") {
		to := attr(n, "href") + attr(n, "src") + attr(n, "action")
		switch {
		case strings.HasPrefix(to, "#"):
			if byID(doc, to[1:]) == nil {
				t.Errorf("%s: leads to %s, which is not there", target, to)
			}
		case strings.HasPrefix(to, "/"):
			if rec := get(t, h, to); rec.Code != http.StatusOK {
				t.Errorf("%s: leads to %s, which answers %d", target, to, rec.Code)
			}
		default:
			if u, err := url.Parse(to); err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" {
				t.Errorf("%s: leads to %q", target, to)
			}
		}
	}
}
