package fetch

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	getter "github.com/hashicorp/go-getter"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// schemes are the ways to fetch.
var schemes = []string{"file", "git", "http", "https", "s3"}

// detectors turn short forms such as github.com/owner/name into URLs. Not among
// them: paths of the machine, and what asks a server to find out.
var detectors = []getter.Detector{
	new(getter.GitHubDetector), new(getter.GitLabDetector), new(getter.GitDetector), new(getter.S3Detector),
}

// commit is a whole git commit id.
var commit = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// source is what an artifact names.
type source struct {
	url    string // for go-getter, with its query parameters
	scheme string
	check  bool // has a checksum
	ref    string
	name   string
}

func (s source) pinned() bool { return s.check || s.scheme == "git" && commit.MatchString(s.ref) }

// String is the source without secrets.
func (s source) String() string { return s.name }

// parse reads an artifact and refuses what is malformed.
func parse(a cluster.Artifact) (source, error) {
	s := source{name: redact(a.Source)}
	refuse := func(format string, args ...any) (source, error) {
		return s, fmt.Errorf("artifact %s: %w: %w", s.name, fmt.Errorf(format, args...), ErrRefused)
	}
	if len(a.Source) > maxSource || strings.ContainsAny(a.Source, "\x00\r\n") {
		return refuse("its source is no URL")
	}
	base, query, _ := strings.Cut(a.Source, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return refuse("its query cannot be read")
	}
	if q.Has("checksum") || q.Has("archive") {
		return refuse("the query parameters checksum and archive are not for the URL: they are fields of the artifact")
	}
	full, err := getter.Detect(base, "", detectors)
	if err != nil {
		return refuse("its source is neither a URL nor a known short form")
	}
	forced, rest, isForced := strings.Cut(full, "::")
	if !isForced {
		forced, rest = "", full
	}
	u, err := url.Parse(rest)
	if err != nil || strings.Contains(rest, "::") {
		return refuse("its URL cannot be read")
	}
	if s.scheme = forced; forced == "" {
		s.scheme = u.Scheme
	}
	if !slices.Contains(schemes, s.scheme) {
		return refuse("%q is not one of %s", s.scheme, strings.Join(schemes, ", "))
	}
	s.ref = q.Get("ref")
	if a.Checksum != "" {
		if err := checkChecksum(a.Checksum); err != nil {
			return refuse("%w", err)
		}
		if s.scheme == "git" {
			return refuse("a repository has no checksum: name a commit as its ref")
		}
		s.check = true
		q.Set("checksum", a.Checksum)
	}
	if a.NoUnpack {
		q.Set("archive", "false")
	}
	if s.url = full; len(q) > 0 {
		s.url += "?" + q.Encode()
	}
	return s, nil
}

// checkChecksum accepts "sha256:<hex>" and "sha512:<hex>".
func checkChecksum(text string) error {
	kind, value, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(value)
	if want := map[string]int{"sha256": 32, "sha512": 64}[kind]; err != nil || want == 0 || len(b) != want {
		return fmt.Errorf("checksum %q is not of the form sha256:<64 hex digits> or sha512:<128>", text)
	}
	return nil
}

// redact drops what may be secret of a source: user, password, the query.
func redact(s string) string {
	base, _, query := strings.Cut(s, "?")
	forced, rest, ok := strings.Cut(base, "::")
	if !ok {
		forced, rest = "", base
	} else {
		forced += "::"
	}
	if len(rest) > 200 {
		rest = rest[:200] + "…"
	}
	if i := strings.Index(rest, "://"); i >= 0 {
		host, path, _ := strings.Cut(rest[i+3:], "/")
		if j := strings.LastIndexByte(host, '@'); j >= 0 {
			rest = rest[:i+3] + "…@" + host[j+1:] + "/" + path
		}
	}
	if query {
		rest += "?…"
	}
	return strings.ToValidUTF8(forced+rest, "")
}

// secrets are the parts of a source that must not be in an error.
func secrets(s string) []string {
	var out []string
	_, query, _ := strings.Cut(s, "?")
	if q, err := url.ParseQuery(query); err == nil {
		for key, values := range q {
			if key == "ref" || key == "depth" || key == "region" {
				continue
			}
			for _, v := range values {
				out = append(out, v, url.QueryEscape(v))
			}
		}
	}
	_, rest, ok := strings.Cut(s, "://")
	if host, _, _ := strings.Cut(rest, "/"); ok {
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			out = append(out, host[:i])
			if _, password, both := strings.Cut(host[:i], ":"); both {
				out = append(out, password)
			}
		}
	}
	return slices.DeleteFunc(out, func(v string) bool { return len(v) < 3 })
}

// clean takes the secrets of a source out of a text.
func clean(text, src string) string {
	for _, v := range secrets(src) {
		text = strings.ReplaceAll(text, v, "…")
	}
	return text
}
