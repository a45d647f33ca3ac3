// Package native serves the master's own API under /v1: JSON with the types of
// package client, problem documents for errors (RFC 9457), server-sent events.
// It holds no logic: it reads views, submits commands, and asks one authorizer
// before it does either.
package native
