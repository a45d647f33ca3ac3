package auth

import (
	"context"
	"net/http"
)

// Principal is who makes a request. Its name goes into the log with every
// change; it holds no secret.
type Principal struct {
	Name string // "anonymous", "alice", "agent:a1"
}

// Anonymous is whoever did not say who they are.
var Anonymous = Principal{Name: "anonymous"}

// Verb is what a principal wants to do to an object.
type Verb string

// The verbs.
const (
	Read   Verb = "read"   // look at it
	Write  Verb = "write"  // create or change it
	Delete Verb = "delete" // remove, kill or cancel it
	Exec   Verb = "exec"   // run a process in it: more than reading, since the process can do all that a task can
)

// Object names what a request is about: a kind, and an id where there is one.
type Object struct {
	Kind string // "service", "task", "run", "agent", "events", "state"
	ID   string // empty: all of the kind
}

// String is "kind/id", or the kind alone.
func (o Object) String() string {
	if o.ID == "" {
		return o.Kind
	}
	return o.Kind + "/" + o.ID
}

// Authorizer decides. Authorize returns nil to allow; an error of class
// problem.Forbidden (or Unauthorized) says why not.
type Authorizer interface {
	Authorize(ctx context.Context, p Principal, v Verb, o Object) error
}

// AllowAll is the authorizer of a cluster without access control.
type AllowAll struct{}

// Authorize allows.
func (AllowAll) Authorize(context.Context, Principal, Verb, Object) error { return nil }

// AnonymousRequest is the principal function of a cluster without
// authentication: everybody is Anonymous.
func AnonymousRequest(*http.Request) Principal { return Anonymous }
