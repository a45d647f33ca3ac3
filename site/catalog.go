package site

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
)

const (
	// pageSize is how many packages one page of the catalog shows.
	pageSize = 48
	// maxPage bounds how far a reader can leaf.
	maxPage = 10_000
	// maxTags is how many keywords a card shows.
	maxTags = 3
	// maxVersions is how many versions a package's page names.
	maxVersions = 30
	// maxQuery bounds what is searched for, in bytes.
	maxQuery = 200
)

// Catalog is what the site asks of the catalog's client.
type Catalog interface {
	Search(ctx context.Context, q string, limit, offset int) (catalog.Results, error)
	Package(ctx context.Context, name, versions string) (catalog.Detail, error)
	Installations(ctx context.Context) ([]plan.Installation, error)
}

type catalogPage struct {
	head
	Query, Status string
	Near          []string // names that may have been meant
	Packages      []card
	Prev, Next    string // addresses of the pages beside this one
}

// card is a package in the list.
type card struct {
	catalog.Listing
	Tags []string
	More int // keywords that are not shown
}

func (s *site) catalog(r *http.Request) (string, any, error) {
	q := clip(strings.TrimSpace(r.URL.Query().Get("q")), maxQuery)
	number, err := pageNumber(r)
	if err != nil {
		return "", nil, err
	}
	first := (number - 1) * pageSize
	found, err := s.cfg.Catalog.Search(r.Context(), q, pageSize, first)
	if err != nil {
		return "", nil, err
	}
	if number > 1 && len(found.Items) == 0 {
		return "", nil, problem.New(problem.NotFound, "the list of packages has no page %d", number)
	}
	page := catalogPage{head: s.head("Catalog", "catalog"), Query: q, Near: found.DidYouMean, Status: foundText(q, found, first)}
	if q != "" {
		page.Title = "“" + q + "” · Catalog"
	}
	for _, l := range found.Items {
		tags := l.Keywords[:min(len(l.Keywords), maxTags)]
		page.Packages = append(page.Packages, card{l, tags, len(l.Keywords) - len(tags)})
	}
	if number > 1 {
		page.Prev = pageURL(q, number-1)
	}
	if first+len(found.Items) < found.Total && number < maxPage {
		page.Next = pageURL(q, number+1)
	}
	return "catalog", page, nil
}

func pageNumber(r *http.Request) (int, error) {
	text := r.URL.Query().Get("page")
	if text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, problem.New(problem.Invalid, "page=%s is not a number from 1 to %d", clip(text, maxQuery), maxPage)
	}
	return n, nil
}

func pageURL(q string, number int) string {
	v := url.Values{}
	if q != "" {
		v.Set("q", q)
	}
	if number > 1 {
		v.Set("page", strconv.Itoa(number))
	}
	if len(v) == 0 {
		return "/"
	}
	return "/?" + v.Encode()
}

// foundText says what a search gave; it is read out when it changes.
func foundText(q string, found catalog.Results, first int) string {
	noun := "packages"
	if found.Total == 1 {
		noun = "package"
	}
	switch {
	case found.Total == 0 && q == "":
		return ""
	case found.Total == 0:
		return fmt.Sprintf("No package matches “%s”.", q)
	case found.Fuzzy:
		return fmt.Sprintf("Nothing matches “%s”; these are near it.", q)
	}
	text := fmt.Sprintf("%d %s", found.Total, noun)
	if q != "" {
		text += fmt.Sprintf(" for “%s”", q)
	}
	if len(found.Items) < found.Total {
		text += fmt.Sprintf(", %d to %d", first+1, first+len(found.Items))
	}
	return text
}

type packagePage struct {
	head
	Package packageView
}

// packageView is a release as the page shows it.
type packageView struct {
	catalog.Detail
	Name, Version     string
	Home              string // an http or https URL
	Unavailable       string // why this version cannot be installed
	Install           string // the command
	Icon              bool
	Versions          []catalog.VersionInfo
	OlderVersions     int // that are not shown
	Requires, Makers  []string
	Running           []plan.Installation
	Readme, Changelog template.HTML
	Groups            []group
}

func (s *site) packagePage(r *http.Request) (string, any, error) {
	d, err := s.cfg.Catalog.Package(r.Context(), r.PathValue("name"), r.URL.Query().Get("version"))
	if err != nil {
		return "", nil, err
	}
	installed, err := s.cfg.Catalog.Installations(r.Context())
	if err != nil {
		return "", nil, err
	}
	v := s.view(d)
	for _, i := range installed {
		if i.Package == v.Name {
			v.Running = append(v.Running, i)
		}
	}
	return "package", packagePage{s.head(v.Name, "catalog"), v}, nil
}

// view makes what is shown of a release.
func (s *site) view(d catalog.Detail) packageView {
	m := d.Package
	v := packageView{Detail: d, Name: m.Name, Version: m.Version.String(), Home: webURL(m.Home), Icon: m.Icon != "", Groups: options(d.Schema)}
	newest := ""
	for _, x := range d.Versions {
		if x.Version == v.Version {
			v.Unavailable = x.Unavailable
		}
		if newest == "" && x.Unavailable == "" {
			newest = x.Version
		}
	}
	v.Install = "dcos package install " + v.Name
	if newest != "" && newest != v.Version {
		v.Install += " --version " + v.Version
	}
	v.Versions = d.Versions[:min(len(d.Versions), maxVersions)]
	v.OlderVersions = len(d.Versions) - len(v.Versions)
	for _, q := range m.Requires {
		text := strings.TrimSpace(q.Name + " " + q.Version.String())
		if q.Optional {
			text += " (optional)"
		}
		v.Requires = append(v.Requires, text)
	}
	for _, p := range m.Maintainers {
		v.Makers = append(v.Makers, p.Name)
	}
	if d.Readme != "" {
		v.Readme = s.md.render(d.Readme, "readme", m.Name, m.Name+" "+v.Version)
	}
	if d.Changelog != "" {
		v.Changelog = s.md.render(d.Changelog, "changes", "changes", "changelog", "change log")
	}
	return v
}
