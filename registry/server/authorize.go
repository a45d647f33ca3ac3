package server

import "net/http"

// Authorize decides whether the sender of r may do verb on a repository; the
// name is empty for VerbPing and VerbCatalog. An error of class
// problem.Unauthorized asks for credentials (401), problem.Forbidden refuses
// (403).
type Authorize func(r *http.Request, verb, repository string) error

// The verbs of Authorize.
const (
	VerbPing    = "ping"    // ask whether this is a registry
	VerbCatalog = "catalog" // list the repositories
	VerbPull    = "pull"    // read blobs, manifests, tags, referrers
	VerbPush    = "push"    // write blobs, manifests, tags
	VerbDelete  = "delete"  // remove blobs, manifests, tags
)

// DefaultChallenge asks for a user and a password (RFC 7617).
const DefaultChallenge = `Basic realm="registry"`

func allowAll(*http.Request, string, string) error { return nil }
