package master

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/store"
)

const (
	// MaxBatch is how many commands one round of the loop takes.
	MaxBatch = 256
	// MaxBatchBytes is how many bytes of commands one round appends, unless a
	// single one is larger.
	MaxBatchBytes = 64 << 20
	// MaxInbox is how many commands wait before Submit answers unavailable.
	MaxInbox = 4096
	// MaxEvents is how many of the latest events are kept for watchers, at
	// least; at most twice as many are.
	MaxEvents = 8192
	// MaxSessionOrders is how many orders wait for an agent that reads too
	// slowly before its session is ended; it registers again then.
	MaxSessionOrders = 65_536
	// MaxFrameworkEvents is how many offers and updates wait for a framework
	// that reads too slowly before its session is ended.
	MaxFrameworkEvents = 131_072
	// MaxFrameworks is how many frameworks there are, those that are away too.
	MaxFrameworks = 4096
	// MaxUpdates is how many reports an agent sends in one message.
	MaxUpdates = 1000
	// SnapshotEvery is how many commands are applied between two snapshots.
	SnapshotEvery = 8192
	// RestartGrace is how long after its start a master waits for agents it
	// knows from its log before it counts them as unreachable.
	RestartGrace = 2 * time.Duration(cluster.AgentTimeout) * time.Millisecond
	// tick is how often silent agents are looked for, and how often offers are
	// made while something waits for one.
	tick = time.Second
	// orderWriteTimeout bounds the writing of orders to one agent.
	orderWriteTimeout = 10 * time.Second
	// MaxExecs is how many sessions in the containers of tasks are open at once.
	MaxExecs = 256
	// logHeaderTimeout bounds the wait for an agent's answer to a request.
	logHeaderTimeout = 10 * time.Second
)

// Config is what a master is made of.
type Config struct {
	// Store holds the command log. The master closes nothing: its owner does,
	// after Run has returned.
	Store store.Log
	// Logger gets one line for each transition of an agent or a task; nil: none.
	Logger *slog.Logger
	// AgentTLS is the configuration with which the API of an agent is called;
	// nil: plain HTTP.
	AgentTLS func(cluster.AgentID) *tls.Config
	// Join lets machines join with tokens; nil: none can.
	Join *JoinConfig
	// Names is what the cluster's names are made of beside its state.
	Names discovery.Config
	// TrustHello believes an agent's word about who it is, on connections
	// without a certificate. For tests and benchmarks on one machine only.
	TrustHello bool
}

func (c Config) check() error {
	if c.Store == nil {
		return errors.New("master: Config.Store is nil")
	}
	return nil
}
