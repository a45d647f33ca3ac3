// Package plan turns a request ("install spark") into changes that a person can
// read before they are made, and makes them.
//
// A Planner resolves the request against the catalog with what is installed,
// binds each requirement to the installation that meets it, renders each service,
// adds up what it costs and says what could stand in its way. For a service that
// runs it compares what is with what would be: which pods change and why, what the
// update plan will do, and what cannot be undone. Apply makes the plan again and
// refuses (problem.Conflict, with the new plan) when its digest is not the one
// that was shown: what is applied is what was read.
//
// Engine is what a plan needs of a runtime, Keeper what changes of running
// services need of it beside that; the runtime's master and, later, Kubernetes
// satisfy them.
//
// Invariants:
//   - Equal catalog, request and installations give the same digest.
//   - Too few resources are a warning and never an error: the service waits,
//     visibly.
//   - An installation that runs is never moved by installing another.
//   - A service is bound to services that have the endpoints and exports it asks
//     for, and a change never takes them away from those that have them.
//   - A volume keeps its size and path; no change of a pod that stays destroys one
//     but by ending its instance, which the plan says.
package plan
