package checkpoint

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

var (
	// ErrHeld is wrapped when a task is launched that is known.
	ErrHeld = errors.New("task is known")
	// ErrUnknown is wrapped when there is no such task.
	ErrUnknown = errors.New("task is not known")
	// ErrEnded is wrapped when a task that has ended is reported on.
	ErrEnded = errors.New("task has ended")
)

// lockWait is how long the file may be locked by an agent that is just ending.
const lockWait = 5 * time.Second

var (
	bucketTasks = []byte("tasks")
	bucketMeta  = []byte("meta")
	keyAgent    = []byte("agent")
	keyBoot     = []byte("boot")
	keyLife     = []byte("life")
	keyAttempts = []byte("attempts")
)

// Ledger is the records of one agent. Its methods are safe for concurrent use.
type Ledger struct {
	db *bolt.DB

	mu      sync.Mutex
	records map[cluster.TaskID]*Record
	sent    map[cluster.TaskID]time.Time // when the head of Pending was sent in this session
	changed chan struct{}                // holds a token while something may be due

	life     string
	attempt  int64 // the last that was given
	attempts int64 // none above is given before it is on disk
}

// Open reads the ledger of agent at path, or makes one. A ledger of another
// agent, or one in use by another process, is an error.
func Open(path string, agent cluster.AgentID) (*Ledger, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return nil, fmt.Errorf("agent state: %w", err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait})
	if err != nil {
		return nil, fmt.Errorf("agent state %s (is another agent running on it?): %w", path, err)
	}
	l := &Ledger{db: db, records: map[cluster.TaskID]*Record{}, sent: map[cluster.TaskID]time.Time{}, changed: make(chan struct{}, 1)}
	if err := l.load(agent); err != nil {
		return nil, errors.Join(fmt.Errorf("agent state %s: %w", path, err), db.Close())
	}
	return l, nil
}

func (l *Ledger) load(agent cluster.AgentID) error {
	return l.db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(bucketMeta)
		if err != nil {
			return err
		}
		if owner := meta.Get(keyAgent); owner != nil && string(owner) != string(agent) {
			return fmt.Errorf("it belongs to agent %q, not %q", owner, agent)
		}
		if err := meta.Put(keyAgent, []byte(agent)); err != nil {
			return err
		}
		if err := l.loadLife(meta); err != nil {
			return err
		}
		tasks, err := tx.CreateBucketIfNotExists(bucketTasks)
		if err != nil {
			return err
		}
		return tasks.ForEach(func(k, v []byte) error {
			var r Record
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("task %s: %w", k, err)
			}
			l.records[cluster.TaskID(k)] = &r
			return nil
		})
	})
}

// Close closes the file.
func (l *Ledger) Close() error { return l.db.Close() }

// Boot is the kernel's boot id when the agent ran last; empty at first.
func (l *Ledger) Boot() (string, error) {
	var boot string
	err := l.db.View(func(tx *bolt.Tx) error {
		boot = string(tx.Bucket(bucketMeta).Get(keyBoot))
		return nil
	})
	return boot, err
}

// SetBoot keeps the kernel's boot id.
func (l *Ledger) SetBoot(boot string) error {
	return l.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyBoot, []byte(boot)) })
}

// NewUUID is an identifier of a report, or of a life.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// Launch makes the record of a new task, with its first status.
func (l *Ledger) Launch(spec cluster.TaskSpec, st cluster.TaskStatus) error {
	return l.insert(&Record{Spec: spec}, st)
}

// Answer makes a record that only carries a terminal status of a task that is
// not here.
func (l *Ledger) Answer(id cluster.TaskID, st cluster.TaskStatus) error {
	return l.insert(&Record{Spec: cluster.TaskSpec{ID: id}, Stranger: true, Removed: true}, st)
}

func (l *Ledger) insert(r *Record, st cluster.TaskStatus) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records[r.Spec.ID] != nil {
		return fmt.Errorf("task %s: %w", r.Spec.ID, ErrHeld)
	}
	r.add(st, false)
	if err := l.put(r); err != nil {
		return err
	}
	l.notify()
	return nil
}

// Report makes st the task's latest status, to be sent and acknowledged.
func (l *Ledger) Report(st cluster.TaskStatus) error {
	return l.change(st.Task, func(r *Record) error {
		if r.Ended != 0 {
			return ErrEnded
		}
		if st.State == cluster.TaskRunning && r.Started == 0 {
			r.Started = st.At
		}
		_, headSent := l.sent[st.Task]
		r.add(st, headSent)
		return nil
	})
}

// Repeat queues the latest status once more, under a new uuid, when nothing of
// the task is pending: the master asked again.
func (l *Ledger) Repeat(id cluster.TaskID) error {
	return l.change(id, func(r *Record) error {
		if len(r.Pending) == 0 {
			st := r.Status
			st.UUID = NewUUID()
			r.Status, r.Pending = st, []cluster.TaskStatus{st}
		}
		return nil
	})
}

// SetKill keeps the decision to end a task. An order of the master is not
// replaced by a decision of our own, and asking again never gives more time.
func (l *Ledger) SetKill(id cluster.TaskID, k Kill) error {
	return l.change(id, func(r *Record) error {
		if old := r.Kill; old != nil {
			k.Deadline = min(k.Deadline, old.Deadline)
			if old.Reason == "" {
				k.Reason, k.Message = "", ""
			}
		}
		r.Kill = &k
		return nil
	})
}

// SetVolumes keeps the volumes that a task is about to mount.
func (l *Ledger) SetVolumes(id cluster.TaskID, names []cluster.VolumeName) error {
	return l.change(id, func(r *Record) error { r.Volumes = names; return nil })
}

// SetRemoved keeps that the container is gone.
func (l *Ledger) SetRemoved(id cluster.TaskID) error {
	return l.change(id, func(r *Record) error { r.Removed = true; return nil })
}

// Ack drops what is acknowledged. An unknown task or uuid is no error: the
// master may acknowledge twice.
func (l *Ledger) Ack(id cluster.TaskID, uuid string) error {
	err := l.change(id, func(r *Record) error {
		if r.ack(uuid) {
			delete(l.sent, id)
		}
		return nil
	})
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

// Forget drops a record for good.
func (l *Ledger) Forget(id cluster.TaskID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.records, id)
	delete(l.sent, id)
	return l.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketTasks).Delete([]byte(id)) })
}

// change applies f to a copy of the record and keeps the copy when f and the
// disk agree.
func (l *Ledger) change(id cluster.TaskID, f func(*Record) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.records[id]
	if old == nil {
		return fmt.Errorf("task %s: %w", id, ErrUnknown)
	}
	r := old.clone()
	if err := f(&r); err != nil {
		return fmt.Errorf("task %s: %w", id, err)
	}
	if err := l.put(&r); err != nil {
		return err
	}
	l.notify()
	return nil
}

func (l *Ledger) put(r *Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("checkpoint of task %s: %w", r.Spec.ID, err)
	}
	err = l.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketTasks).Put([]byte(r.Spec.ID), b) })
	if err != nil {
		return fmt.Errorf("checkpoint of task %s: %w", r.Spec.ID, err)
	}
	l.records[r.Spec.ID] = r
	return nil
}

func (l *Ledger) notify() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Get gives a copy of a record.
func (l *Ledger) Get(id cluster.TaskID) (Record, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.records[id]
	if r == nil {
		return Record{}, false
	}
	return r.clone(), true
}

// Scan calls f for each record, in no order, until it reports false. It must
// keep nothing of the record, and call nothing of the ledger.
func (l *Ledger) Scan(f func(*Record) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if !f(r) {
			return
		}
	}
}

// All gives copies of the records, sorted by task.
func (l *Ledger) All() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Record, 0, len(l.records))
	for _, r := range l.records {
		out = append(out, r.clone())
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(string(a.Spec.ID), string(b.Spec.ID)) })
	return out
}
