package server

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/universe-dcos/universe/registry"
)

// routeKind is what an address under /v2/ is about.
type routeKind int

const (
	routeBase      routeKind = iota // /v2/
	routeCatalog                    // /v2/_catalog
	routeExtension                  // /v2/_oci/ext/discover
	routeBlob                       // /v2/<name>/blobs/<digest>
	routeUploads                    // /v2/<name>/blobs/uploads/
	routeUpload                     // /v2/<name>/blobs/uploads/<id>
	routeManifest                   // /v2/<name>/manifests/<tag or digest>
	routeTags                       // /v2/<name>/tags/list
	routeReferrers                  // /v2/<name>/referrers/<digest>
)

// route is a parsed address. name is valid; ref is checked by the handler, as
// what it must be depends on the kind.
type route struct {
	kind routeKind
	name string
	ref  string
}

// sessionRE is the form of an upload's id: 128 random bits and a check of the
// repository (sessions.go).
var sessionRE = regexp.MustCompile(`^[0-9a-f]{32}-[0-9a-f]{16}$`)

// parsePath reads an address from the right, because a repository's name may
// itself hold the words blobs, manifests and tags.
func parsePath(path string) (route, error) {
	rest, ok := strings.CutPrefix(path, "/v2")
	if !ok || (rest != "" && rest[0] != '/') {
		return route{}, fail(http.StatusNotFound, codeUnsupported, "no such address; the registry answers under /v2/")
	}
	rest = strings.TrimPrefix(rest, "/")
	switch rest {
	case "":
		return route{kind: routeBase}, nil
	case "_catalog":
		return route{kind: routeCatalog}, nil
	case "_oci/ext/discover":
		return route{kind: routeExtension}, nil
	}
	parts := strings.Split(rest, "/")
	r, nameParts := parseTail(parts)
	if nameParts <= 0 {
		return route{}, fail(http.StatusNotFound, codeUnsupported, "no such address under /v2/")
	}
	r.name = strings.Join(parts[:nameParts], "/")
	if err := registry.ValidateRepository(r.name); err != nil {
		return route{}, fail(http.StatusBadRequest, codeNameInvalid, "%w", err)
	}
	return r, nil
}

// parseTail gives the route of the last elements and how many elements before
// them are the name; 0 when they are no route.
func parseTail(parts []string) (route, int) {
	n := len(parts)
	last := parts[n-1]
	if n >= 3 && parts[n-2] == "uploads" && parts[n-3] == "blobs" {
		if last == "" {
			return route{kind: routeUploads}, n - 3
		}
		return route{kind: routeUpload, ref: last}, n - 3
	}
	if n < 2 {
		return route{}, 0
	}
	switch parts[n-2] {
	case "blobs":
		if last == "uploads" { // some clients leave the last slash out
			return route{kind: routeUploads}, n - 2
		}
		return route{kind: routeBlob, ref: last}, n - 2
	case "manifests":
		return route{kind: routeManifest, ref: last}, n - 2
	case "referrers":
		return route{kind: routeReferrers, ref: last}, n - 2
	case "tags":
		if last == "list" {
			return route{kind: routeTags}, n - 2
		}
	}
	return route{}, 0
}
