package containerd

import (
	"context"
	"sync"
)

// keyed is a lock for each key, for which one can wait no longer than ctx. Its
// zero value is ready to use.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed at the release
}

// lock makes the caller the only one that holds key.
func (k *keyed) lock(ctx context.Context, key string) (release func(), err error) {
	for {
		release, other := k.try(key)
		if other == nil {
			return release, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try is lock without waiting: where another one holds key, it gives the channel
// that is closed when that one lets go.
func (k *keyed) try(key string) (release func(), other <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.held[key]; ok {
		return nil, c
	}
	if k.held == nil {
		k.held = map[string]chan struct{}{}
	}
	mine := make(chan struct{})
	k.held[key] = mine
	return func() {
		k.mu.Lock()
		delete(k.held, key)
		k.mu.Unlock()
		close(mine)
	}, nil
}
