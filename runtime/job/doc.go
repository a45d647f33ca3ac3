// Package job runs tasks once, to their end, as a framework on the offer API:
// the actions of services. It is pure and keeps nothing between two calls; what
// to do follows from the runs in the core's View.
//
// A run is launched once. Its end is its task's end: nothing is tried again,
// since only its caller knows whether it may run twice.
package job
