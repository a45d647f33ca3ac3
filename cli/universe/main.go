// Command universe is the daemon: a master, an agent, or a whole small cluster
// on one machine. This package is the composition root: the only place where
// the rooms' constructors meet.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprint(os.Stderr, explain(err))
		stop()
		os.Exit(exitCode(err))
	}
}
