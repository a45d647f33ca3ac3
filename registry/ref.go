package registry

import (
	_ "crypto/sha256" // the digest algorithms ParseDigest accepts
	_ "crypto/sha512"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/universe-dcos/universe/internal/problem"
)

// Scheme is the optional prefix of a written reference; ParseRef drops it.
const Scheme = "oci://"

var (
	// The grammar of <name> in distribution-spec 1.1.
	repositoryRE = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagRE        = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	hostRE       = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`)
	sha256RE     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	sha512RE     = regexp.MustCompile(`^sha512:[0-9a-f]{128}$`)
)

// Ref names content in a registry. The zero Ref is not valid.
type Ref struct {
	// Host is the registry: a name or address with an optional port. An IPv6
	// address stands in brackets.
	Host string
	// Repository is the path in the registry, such as "data/spark".
	Repository string
	// Tag is the tag; it may be empty.
	Tag string
	// Digest pins the content; it may be empty. It wins over Tag.
	Digest digest.Digest
}

// ParseRef reads host[:port]/repository[:tag][@digest]. The host must hold a
// dot or a colon or be "localhost", so that it cannot be taken for the first
// part of a repository. A leading "oci://" is accepted. Errors are of class
// problem.Invalid.
func ParseRef(s string) (Ref, error) {
	rest := strings.TrimPrefix(s, Scheme)
	var r Ref
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		d, err := ParseDigest(rest[at+1:])
		if err != nil {
			return Ref{}, err
		}
		r.Digest, rest = d, rest[:at]
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 || !looksLikeHost(rest[:slash]) {
		return Ref{}, problem.New(problem.Invalid, "reference %q names no registry host", s).
			WithHint("write it as host/repository:tag, for example registry.example.com/%s", strings.TrimPrefix(rest, "/"))
	}
	r.Host, rest = rest[:slash], rest[slash+1:]
	if colon := strings.LastIndexByte(rest, ':'); colon >= 0 {
		r.Tag, rest = rest[colon+1:], rest[:colon]
		if err := ValidateTag(r.Tag); err != nil {
			return Ref{}, err
		}
	}
	r.Repository = rest
	if err := r.Validate(); err != nil {
		return Ref{}, err
	}
	return r, nil
}

func looksLikeHost(s string) bool {
	return s == "localhost" || strings.ContainsAny(s, ".:")
}

// Validate checks every part of r. Errors are of class problem.Invalid.
func (r Ref) Validate() error {
	if err := validateHost(r.Host); err != nil {
		return err
	}
	if err := ValidateRepository(r.Repository); err != nil {
		return err
	}
	if n := len(r.Host) + 1 + len(r.Repository); n > MaxNameBytes {
		return problem.New(problem.Invalid, "name %q has %d bytes, more than the %d that registries accept", r.Name(), n, MaxNameBytes)
	}
	if r.Tag != "" {
		if err := ValidateTag(r.Tag); err != nil {
			return err
		}
	}
	if r.Digest != "" {
		if _, err := ParseDigest(r.Digest.String()); err != nil {
			return err
		}
	}
	return nil
}

// Name is host/repository.
func (r Ref) Name() string { return r.Host + "/" + r.Repository }

// Reference is what a Store resolves: the digest if there is one, else the
// tag; it may be empty.
func (r Ref) Reference() string {
	if r.Digest != "" {
		return r.Digest.String()
	}
	return r.Tag
}

// String is host/repository[:tag][@digest], what ParseRef reads.
func (r Ref) String() string {
	var b strings.Builder
	b.WriteString(r.Name())
	if r.Tag != "" {
		b.WriteString(":" + r.Tag)
	}
	if r.Digest != "" {
		b.WriteString("@" + r.Digest.String())
	}
	return b.String()
}

// Loopback reports whether the host is this machine: "localhost" or a
// loopback address. Plain HTTP is the default there and nowhere else.
func (r Ref) Loopback() bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func validateHost(host string) error {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return problem.New(problem.Invalid, "registry host %q has port %q, which is not a number from 1 to 65535", host, port)
		}
	}
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		if ip := net.ParseIP(name[1 : len(name)-1]); ip != nil && strings.Contains(name, ":") {
			return nil
		}
	} else if hostRE.MatchString(name) {
		return nil
	}
	return problem.New(problem.Invalid, "registry host %q is not a host name or address with an optional port", host)
}

// ValidateRepository checks a repository name by the grammar of
// distribution-spec 1.1: lower-case letters and digits, parts joined by ".",
// "_", "__" or "-" and separated by "/". Errors are of class problem.Invalid.
func ValidateRepository(name string) error {
	if len(name) > MaxNameBytes {
		return problem.New(problem.Invalid, "repository name of %d bytes is longer than the %d that registries accept", len(name), MaxNameBytes)
	}
	if !repositoryRE.MatchString(name) {
		return problem.New(problem.Invalid, "repository name %q is not valid", name).
			WithHint("use lower-case letters, digits and the separators . _ - between them, in parts separated by /")
	}
	return nil
}

// ValidateTag checks a tag by the grammar of distribution-spec 1.1. Errors are
// of class problem.Invalid.
func ValidateTag(tag string) error {
	if !tagRE.MatchString(tag) {
		return problem.New(problem.Invalid, "tag %q is not valid", clip(tag)).
			WithHint("a tag has 1 to %d letters, digits, _ . - and does not start with . or -", MaxTagBytes)
	}
	return nil
}

// ParseDigest reads a sha256 or sha512 digest in lower-case hexadecimal; other
// algorithms are refused. Errors are of class problem.Invalid.
func ParseDigest(s string) (digest.Digest, error) {
	if !sha256RE.MatchString(s) && !sha512RE.MatchString(s) {
		return "", problem.New(problem.Invalid, "digest %q is not sha256:<64 hex digits> or sha512:<128 hex digits>", clip(s))
	}
	return digest.Digest(s), nil
}

// clip shortens hostile input for an error text.
func clip(s string) string {
	const most = 160
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
