// Package auth keeps the two places of access control that cannot be added
// later cheaply: every request has a Principal, and every handler asks one
// Authorizer before it does anything. Today's only authorizer allows all, as in
// `universe dev`; policies and identity providers come behind the same two
// types. A handler never decides by itself.
package auth
