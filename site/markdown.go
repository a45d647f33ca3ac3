package site

import (
	"bytes"
	"html/template"
	"regexp"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

// maxMarkdown bounds a document that is rendered, in bytes; a longer one is shown as text.
const maxMarkdown = 256 << 10

// markdown turns a package's document into HTML that is safe in our page. A
// package is written by anybody: raw HTML is dropped, styles and scripts cannot
// pass, pictures from elsewhere become nothing, since a reader's visit is not
// theirs to count.
type markdown struct {
	md     goldmark.Markdown
	policy *bluemonday.Policy
}

func newMarkdown() *markdown {
	p := bluemonday.NewPolicy()
	p.AllowElements("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "ul", "ol", "li",
		"pre", "code", "em", "strong", "del", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^language-[a-z0-9]+$`)).OnElements("code")
	p.AllowAttrs("id").Matching(regexp.MustCompile(`^[a-z0-9-]+$`)).OnElements("h2", "h3", "h4", "h5", "h6")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "http", "mailto")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return &markdown{
		md:     goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(parser.WithAutoHeadingID())),
		policy: p,
	}
}

// headings are moved one level down, for the page has its own h1, and their
// ids get a prefix so that none of them can name a part of ours.
var (
	heading   = regexp.MustCompile(`<(/?)h([1-5])\b`)
	headingID = regexp.MustCompile(`(<h[2-6]) id="([a-z0-9-]+)"`)
)

// render gives the safe HTML of a document.
func (m *markdown) render(text string) template.HTML {
	var b bytes.Buffer
	if len(text) > maxMarkdown || m.md.Convert([]byte(text), &b) != nil {
		return template.HTML("<pre>" + template.HTMLEscapeString(text[:min(len(text), maxMarkdown)]) + "</pre>")
	}
	html := m.policy.SanitizeBytes(b.Bytes())
	html = heading.ReplaceAllFunc(html, func(tag []byte) []byte {
		out := bytes.Clone(tag)
		out[len(out)-1]++
		return out
	})
	return template.HTML(headingID.ReplaceAll(html, []byte(`$1 id="readme-$2"`)))
}
