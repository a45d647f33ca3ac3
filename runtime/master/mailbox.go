package master

import "sync"

// mailbox is a bounded queue from the loop to one reader that may be slow: it
// never holds the loop up, it ends instead. It is a leaf: its lock is held for a
// few instructions and nothing is called under it.
type mailbox[T any] struct {
	limit int   // of the weight that waits
	slow  error // the cause of its end when that is over the limit

	mu     sync.Mutex
	items  []T
	weight int
	ready  chan struct{} // has one element while items wait
	done   chan struct{} // closed at the end
	cause  error         // set before done is closed
}

func newMailbox[T any](limit int, slow error) mailbox[T] {
	return mailbox[T]{limit: limit, slow: slow, ready: make(chan struct{}, 1), done: make(chan struct{})}
}

// put queues an item; it ends the mailbox when too much waits.
func (b *mailbox[T]) put(item T, weight int) {
	b.mu.Lock()
	full := b.weight+weight > b.limit
	if !full {
		b.items, b.weight = append(b.items, item), b.weight+weight
	}
	b.mu.Unlock()
	if full {
		b.end(b.slow)
		return
	}
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take gives what is queued.
func (b *mailbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.items
	b.items, b.weight = nil, 0
	return out
}

// end closes the mailbox; the first cause counts.
func (b *mailbox[T]) end(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause == nil {
		b.cause = cause
		close(b.done)
	}
}

// reason is why the mailbox ended; nil while it has not.
func (b *mailbox[T]) reason() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cause
}

// ended reports whether the mailbox is closed.
func (b *mailbox[T]) ended() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}
