// Package command is the `dcos` command line: one file per group of verbs, over
// the Go clients of the catalog and the runtime. It holds no logic of theirs:
// it asks, shows, waits and maps failures to exit codes (exit.go).
//
// A command tree is made by Main from Deps, which is all it knows of the
// outside; there is no state in package variables.
//
// What it prints: data on the standard output, everything else (plans that ask,
// progress, hints, errors) on the standard error stream. It asks only where
// both the input and the error stream are terminals.
package command
