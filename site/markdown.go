package site

import (
	"bytes"
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// markdown turns a package's document into HTML that is safe in our page. A
// package is written by anybody: raw HTML is dropped, styles and scripts cannot
// pass, pictures from elsewhere become links, since a reader's visit is not
// theirs to count.
type markdown struct {
	md     goldmark.Markdown
	policy *bluemonday.Policy
}

func newMarkdown() *markdown {
	p := bluemonday.NewPolicy()
	p.AllowElements("h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "ul", "ol", "li",
		"pre", "code", "em", "strong", "del", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^language-[a-z0-9]+$`)).OnElements("code")
	p.AllowAttrs("id").Matching(regexp.MustCompile(`^(readme|changes)-[a-z0-9_-]+$`)).OnElements("h3", "h4", "h5", "h6")
	p.AllowAttrs("href").Matching(regexp.MustCompile(`^(?i:https?://|mailto:|#(readme|changes)-)`)).OnElements("a")
	p.AllowURLSchemes("https", "http", "mailto")
	p.AllowRelativeURLs(true) // the parts of this document, by the pattern above
	p.RequireNoFollowOnFullyQualifiedLinks(true)
	p.RequireNoReferrerOnFullyQualifiedLinks(true)
	return &markdown{
		md: goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify),
			goldmark.WithParserOptions(parser.WithAutoHeadingID())),
		policy: p,
	}
}

// render gives the safe HTML of a document, to stand under an h2. The ids in it
// begin with prefix, so that none of them can name a part of our page. A first
// heading that only repeats one of titles is left out.
func (m *markdown) render(source, prefix string, titles ...string) template.HTML {
	src := []byte(source)
	if costly(src) {
		return verbatim(source)
	}
	doc := m.md.Parser().Parse(text.NewReader(src))
	if targets(doc) > maxTargets {
		return verbatim(source)
	}
	dropTitle(doc, src, titles)
	tameHeadings(doc, prefix)
	tameLinks(doc, src, prefix)
	var b bytes.Buffer
	if err := m.md.Renderer().Render(&b, src, doc); err != nil {
		return verbatim(source)
	}
	html := m.policy.SanitizeBytes(b.Bytes())
	html = bytes.ReplaceAll(html, []byte("<table>"), []byte(`<div class="scroll"><table>`))
	return template.HTML(bytes.ReplaceAll(html, []byte("</table>"), []byte("</table></div>")))
}

// verbatim is a document as its author typed it.
func verbatim(source string) template.HTML {
	return template.HTML("<pre>" + template.HTMLEscapeString(clip(source, maxMarkdown)) + "</pre>")
}

func dropTitle(doc ast.Node, src []byte, titles []string) {
	h, ok := doc.FirstChild().(*ast.Heading)
	if !ok || h.Level != 1 {
		return
	}
	title := strings.TrimSpace(plain(h, src))
	if slices.ContainsFunc(titles, func(t string) bool { return strings.EqualFold(t, title) }) {
		doc.RemoveChild(doc, h)
	}
}

// tameHeadings moves the headings below our h2, without a gap in their levels,
// and marks their ids as the document's.
func tameHeadings(doc ast.Node, prefix string) {
	headings := collect[*ast.Heading](doc)
	top := 6
	for _, h := range headings {
		top = min(top, h.Level)
	}
	last := 2
	for _, h := range headings {
		h.Level = min(h.Level-top+3, last+1, 6)
		last = h.Level
		if id, ok := h.AttributeString("id"); ok {
			if name, ok := id.([]byte); ok {
				h.SetAttributeString("id", []byte(prefix+"-"+string(name)))
			}
		}
	}
}

// tameLinks keeps links that lead to the web, to a mailbox and to a part of the
// document. Of others only the text stays: they name files of the package,
// which are not here. A picture becomes a link to it.
func tameLinks(doc ast.Node, src []byte, prefix string) {
	for _, img := range collect[*ast.Image](doc) {
		parent := img.Parent()
		if webURL(string(img.Destination)) == "" || within[*ast.Link](img) {
			unwrap(img)
			continue
		}
		link := ast.NewLink()
		link.Destination = img.Destination
		if strings.TrimSpace(plain(img, src)) == "" {
			link.AppendChild(link, ast.NewString([]byte("picture")))
		}
		for c := img.FirstChild(); c != nil; c = img.FirstChild() {
			link.AppendChild(link, c)
		}
		parent.ReplaceChild(parent, img, link)
	}
	for _, link := range collect[*ast.Link](doc) {
		to := string(link.Destination)
		u, err := url.Parse(to)
		switch {
		case strings.TrimSpace(plain(link, src)) == "":
			unwrap(link) // nothing to click
		case strings.HasPrefix(to, "#"):
			link.Destination = []byte("#" + prefix + "-" + to[1:])
		case webURL(to) == "" && (err != nil || u.Scheme != "mailto"):
			unwrap(link)
		}
	}
}

// collect lists the nodes of one kind in the order of the document, so that
// they can be changed without a walk under way.
func collect[T ast.Node](doc ast.Node) []T {
	var out []T
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // our function returns no error
		if t, ok := n.(T); ok && entering {
			out = append(out, t)
		}
		return ast.WalkContinue, nil
	})
	return out
}

func within[T ast.Node](n ast.Node) bool {
	for p := n.Parent(); p != nil; p = p.Parent() {
		if _, ok := p.(T); ok {
			return true
		}
	}
	return false
}

// unwrap puts a node's children in its place.
func unwrap(n ast.Node) {
	parent := n.Parent()
	for c := n.FirstChild(); c != nil; c = n.FirstChild() {
		parent.InsertBefore(parent, n, c)
	}
	parent.RemoveChild(parent, n)
}

// plain is the text of a node without its marks.
func plain(n ast.Node, src []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) { // our function returns no error
		if entering {
			switch c := c.(type) {
			case *ast.Text:
				b.Write(c.Segment.Value(src))
			case *ast.String:
				b.Write(c.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
