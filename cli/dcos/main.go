// Command dcos is the command line of Universe: it finds, installs and runs
// service packages on a cluster, and publishes them.
package main

import (
	"context"
	"os"

	"github.com/universe-dcos/universe/cli/command"
)

// version is set by the linker from the release; empty otherwise.
var version string

func main() {
	os.Exit(command.Main(context.Background(), command.System(version), os.Args[1:]))
}
