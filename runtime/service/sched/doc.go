// Package sched is what the built-in frameworks (service, job) share: the calls
// of the offer API, what a group of tasks needs, how named ports are given, how
// launch-time references become values, and how task ids are made. It is pure.
//
// A framework takes the offers it got as Rooms, asks a Need whether it fits
// (with cluster.Fits, as everybody), claims it, and answers every offer by
// Accept or Decline: none is held back.
package sched
