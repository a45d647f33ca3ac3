// Package fake is a Runner in memory: no process, no image, no network, no file
// but the log. It is deterministic, keeps virtual time under testing/synctest, and can be
// told to fail, to hang, to lose its engine and to come back.
//
// The zero value runs every container until it is signalled. A Script changes
// that per container:
//
//	r := &fake.Runner{Script: func(s runner.Spec) fake.Behaviour {
//		return fake.Behaviour{After: time.Second, Exit: &runner.Exit{Code: 3}}
//	}}
package fake
