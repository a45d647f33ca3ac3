// Package store is where the master's command log lives: the Log interface.
// store/mem keeps it in memory for tests and simulations, store/bolt on disk
// for one master. store/storetest is the suite both pass.
//
// A master that starts loads the snapshot, restores the state from it, and
// replays the entries after it:
//
//	at, data, err := log.LoadSnapshot(ctx)
//	…
//	err = log.Replay(ctx, at+1, apply)
package store
