package checkpoint

import (
	"fmt"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// attemptBlock is how many attempts are counted by one write: an agent whose
// disk is full can still open as many sessions.
const attemptBlock = 1024

// loadLife reads the ledger's life, or begins it.
func (l *Ledger) loadLife(meta *bolt.Bucket) error {
	if l.life = string(meta.Get(keyLife)); l.life == "" {
		l.life = NewUUID()
		if err := meta.Put(keyLife, []byte(l.life)); err != nil {
			return err
		}
	}
	if b := meta.Get(keyAttempts); b != nil {
		n, err := strconv.ParseInt(string(b), 10, 64)
		if err != nil {
			return fmt.Errorf("count of attempts: %w", err)
		}
		// Any of the last block may have been given.
		l.attempt, l.attempts = n, n
	}
	return nil
}

// Life names the ledger: it was chosen by chance when the ledger was made, and
// ends with it.
func (l *Ledger) Life() string { return l.life }

// Attempt counts: each call gives a higher number than all before it in the
// ledger's life, over crashes too. The numbers have gaps.
func (l *Ledger) Attempt() (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempt == l.attempts {
		next := l.attempts + attemptBlock
		err := l.db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(keyAttempts, strconv.AppendInt(nil, next, 10))
		})
		if err != nil {
			return 0, fmt.Errorf("checkpoint of the attempts: %w", err)
		}
		l.attempts = next
	}
	l.attempt++
	return l.attempt, nil
}
