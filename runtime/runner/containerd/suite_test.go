package containerd

import (
	"testing"

	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

func TestSuite(t *testing.T) { runnertest.Run(t, harness(t)) }
