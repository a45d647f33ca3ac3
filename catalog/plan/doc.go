// Package plan turns a request ("install spark") into changes that a person can
// read before they are made, and makes them.
//
// A Planner resolves the request against the catalog with what is installed,
// renders each new service, adds up what it costs and says what could stand in
// its way. Apply makes the plan again and refuses (problem.Conflict, with the
// new plan) when its digest is not the one that was shown: what is applied is
// what was read.
//
// Engine is what a plan needs of a runtime; the runtime's master and, later,
// Kubernetes satisfy it.
//
// Invariants:
//   - Equal catalog, request and installations give the same digest.
//   - Too few resources are a warning and never an error: the service waits,
//     visibly.
//   - An installation that runs is never moved by installing another.
package plan
