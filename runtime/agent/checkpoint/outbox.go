package checkpoint

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Changed has an element when a report may have become due since Due was called.
func (l *Ledger) Changed() <-chan struct{} { return l.changed }

// NewSession forgets what was sent in the session before: all is due again.
func (l *Ledger) NewSession() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.sent)
	l.notify()
}

// Due gives the oldest pending report of each task, at most limit of them,
// except those sent less than again ago, and marks them as sent now. One report
// of a task is on its way at a time, so that the master sees them in order.
func (l *Ledger) Due(now time.Time, again time.Duration, limit int) []cluster.TaskStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []cluster.TaskStatus
	for id, r := range l.records {
		if len(r.Pending) == 0 {
			continue
		}
		if at, ok := l.sent[id]; ok && now.Sub(at) < again {
			continue
		}
		out = append(out, r.Pending[0])
	}
	slices.SortFunc(out, func(a, b cluster.TaskStatus) int {
		if a.At != b.At {
			return cmp.Compare(a.At, b.At)
		}
		return strings.Compare(string(a.Task), string(b.Task))
	})
	if len(out) > limit {
		out = out[:limit]
		l.notify() // the others are due at once
	}
	for _, s := range out {
		l.sent[s.Task] = now
	}
	return out
}

// Unsend makes reports due again whose sending failed.
func (l *Ledger) Unsend(statuses []cluster.TaskStatus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range statuses {
		delete(l.sent, s.Task)
	}
	l.notify()
}

// Reports is what a Hello says: every task the agent answers for, sorted. The
// files of the specs are left out: the master has them, and with them a Hello
// could outgrow cluster.MaxWireMessage.
func (l *Ledger) Reports() []cluster.TaskReport {
	out := []cluster.TaskReport{}
	for _, r := range l.All() {
		if r.Held() {
			spec := r.Spec
			spec.Container.Files = nil
			out = append(out, cluster.TaskReport{Spec: spec, Status: r.Status})
		}
	}
	return out
}

// Used is the resources of the tasks that have not ended.
func (l *Ledger) Used() (cluster.Resources, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var used cluster.Resources
	n := 0
	for _, r := range l.records {
		if r.Ended == 0 {
			used = used.Plus(r.Spec.Resources)
			n++
		}
	}
	return used, n
}
