// Package execwire is how an exec session goes over one connection in both
// directions: the frames between a terminal somewhere and a process in a
// container. It knows neither.
//
// A session begins as an HTTP request with "Upgrade: universe-exec/1" (see
// cluster.PathTaskExec); after the answer 101 both sides send frames:
//
//	1 byte kind, 4 bytes length (big-endian), payload
//
// Everything is bounded: a payload by MaxPayload, and what a side holds by one
// frame, since reading a stream waits until its bytes were taken.
package execwire
