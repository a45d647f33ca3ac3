package sim

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/store"
	"github.com/universe-dcos/universe/runtime/store/bolt"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// TestSameCommands_sameState takes the log of a run and goes through it again
// with other batch sizes, other stores, snapshots at other points and restarts
// in between: the state is always the same.
func TestSameCommands_sameState(t *testing.T) {
	for _, seed := range []uint64{7, 8, 9} {
		s, err := Run(seed, Plan(seed))
		if err != nil {
			t.Fatalf("SEED=%d %v", seed, err)
		}
		var log [][]byte
		if err := s.master.log.Replay(context.Background(), 1, func(_ int64, e []byte) error {
			log = append(log, append([]byte(nil), e...))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		want := s.View().Hash()
		for name, open := range stores(t) {
			for _, v := range []variant{{batch: 1}, {}, {batch: 17, snapshot: 0.2}, {batch: 40, snapshot: 0.3, restart: 0.3}} {
				if name == "bolt" {
					v.batch *= 10 // each is a sync
				}
				if got := v.run(t, rand.New(rand.NewPCG(seed, 1)), open, log); got != want {
					t.Errorf("SEED=%d %s %+v: state %s after %d commands, the run had %s", seed, name, v, got, len(log), want)
				}
			}
		}
	}
}

// variant is one way through a log.
type variant struct {
	batch             int     // at most so many commands at once; 0: all
	snapshot, restart float64 // how likely either is after a batch
}

// stores gives, by name, what opens the same log again and again.
func stores(t *testing.T) map[string]func() func() store.Log {
	return map[string]func() func() store.Log{
		"mem": func() func() store.Log {
			l := mem.New()
			return func() store.Log { l.Reopen(); return l }
		},
		"bolt": func() func() store.Log {
			dir := t.TempDir()
			return func() store.Log {
				l, err := bolt.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				return l
			}
		},
	}
}

// run takes the commands of a log through a store and a state, and gives the
// hash of what a master that starts afterwards has.
func (v variant) run(t *testing.T, r *rand.Rand, fresh func() func() store.Log, entries [][]byte) string {
	t.Helper()
	open := fresh()
	log, state := open(), core.New()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for len(entries) > 0 {
		n := len(entries)
		if v.batch > 0 {
			n = 1 + r.IntN(min(v.batch, len(entries)))
		}
		_, err := log.Append(ctx, entries[:n])
		must(err)
		for _, e := range entries[:n] {
			at, c, err := core.Decode(e)
			must(err)
			state.Apply(at, c)
		}
		entries = entries[n:]
		if r.Float64() < v.snapshot {
			must(log.SaveSnapshot(ctx, state.Index(), state.Snapshot()))
		}
		if r.Float64() < v.restart {
			must(log.Close())
			log = open()
			var err error
			state, err = replay(log, nil)
			must(err)
		}
	}
	must(log.Close())
	log = open()
	defer log.Close()
	state, err := replay(log, nil)
	must(err)
	return state.Hash()
}
