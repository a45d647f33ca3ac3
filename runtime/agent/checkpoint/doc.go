// Package checkpoint is what an agent knows of its tasks, on disk before the
// agent acts on it: the spec of a task before its container is made, the
// decision to end it before the first signal, its end before its container is
// removed, and every report to the master until it is acknowledged.
//
// A Ledger is a small map behind one lock over a bbolt file. Each change is one
// synced transaction.
package checkpoint
