package core

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// SnapshotVersion is the version of the form that Snapshot writes. Restore
// reads it and all before it: a snapshot is a short cut, the log before it is
// gone. Version 2 came with quotas and weights; since version 3 the last report
// of a task's history, which is its status, is not written twice. Version 4 came
// with places, plans and what removed services left.
const SnapshotVersion = 4

// image is the form of a snapshot. What the indexes hold is not in it.
type image struct {
	Version    int              `json:"version"`
	Index      int64            `json:"index"`
	At         cluster.Time     `json:"at"`
	Agents     []*Agent         `json:"agents"`
	Frameworks []*Framework     `json:"frameworks"`
	Services   []*Service       `json:"services"`
	Instances  []instanceImage  `json:"instances"`
	Runs       []*Run           `json:"runs"`
	Tasks      []*cluster.Task  `json:"tasks"`
	Quotas     []*cluster.Quota `json:"quotas"`
	Weights    []Weight         `json:"weights"`
	Leftovers  []*Leftovers     `json:"leftovers"`
}

type instanceImage struct {
	Key      string    `json:"key"` // service and instance key, divided by a zero byte
	Instance *Instance `json:"instance"`
}

// Snapshot gives the whole state as bytes for Restore. It works on a View, so
// that it can be made while the State goes on.
func (v *View) Snapshot() []byte {
	var p pieces
	v.write(&p)
	return bytes.Join(p, nil)
}

// Snapshot gives the whole state as bytes for Restore.
func (s *State) Snapshot() []byte { return s.v.Snapshot() }

// Hash is a digest of all that Snapshot would hold: equal for equal states.
func (v *View) Hash() string {
	h := sha256.New()
	v.write(h)
	return hex.EncodeToString(h.Sum(nil))
}

// Hash is a digest of the whole state: equal for equal states.
func (s *State) Hash() string { return s.v.Hash() }

// pieces is a buffer that never moves what it has: growing one of fifty megabytes
// step by step costs as much as encoding them.
type pieces [][]byte

const pieceSize = 1 << 20

func (p *pieces) Write(data []byte) (int, error) {
	n := len(*p) - 1
	if n < 0 || len((*p)[n])+len(data) > cap((*p)[n]) {
		*p = append(*p, make([]byte, 0, max(pieceSize, len(data))))
		n++
	}
	(*p)[n] = append((*p)[n], data...)
	return len(data), nil
}

// write streams the image record by record: with a hundred thousand tasks it
// must not exist twice.
func (v *View) write(w io.Writer) {
	put := func(x any) {
		b, err := json.Marshal(x)
		if err != nil {
			// Records hold strings, integers, slices and maps of them: they always encode.
			panic(fmt.Sprintf("core: snapshot: %T: %v", x, err))
		}
		_, _ = w.Write(b) // a buffer and a hash never fail
	}
	text := func(s string) { _, _ = io.WriteString(w, s) }
	text(`{"version":`)
	put(SnapshotVersion)
	text(`,"index":`)
	put(v.index)
	text(`,"at":`)
	put(v.at)
	list(text, put, "agents", v.agents.values())
	list(text, put, "frameworks", v.frameworks.values())
	list(text, put, "services", v.services.values())
	list(text, put, "instances", func(yield func(instanceImage) bool) {
		for k, in := range v.instances.from("") {
			if !yield(instanceImage{k, in}) {
				return
			}
		}
	})
	list(text, put, "runs", v.runs.values())
	list(text, put, "tasks", func(yield func(*cluster.Task) bool) {
		for t := range v.tasks.values() {
			short := *t
			short.History = t.History[:len(t.History)-1]
			if !yield(&short) {
				return
			}
		}
	})
	list(text, put, "quotas", v.quotas.values())
	list(text, put, "weights", v.weights.values())
	list(text, put, "leftovers", v.leftovers.values())
	text("}\n")
}

func list[V any](text func(string), put func(any), name string, values iter.Seq[V]) {
	text(`,"` + name + `":[`)
	first := true
	for x := range values {
		if !first {
			text(",\n")
		}
		first = false
		put(x)
	}
	text("]")
}

// restoreServices takes up services and leftovers. Before version 4 nothing was
// known of changes: each service is in its first one until it is settled.
func (s *State) restoreServices(im *image) {
	for _, svc := range im.Services {
		if im.Version < 4 {
			svc.Plans = map[string]*PlanRecord{cluster.PlanDeploy: {Started: svc.Generation, At: svc.Updated, Generation: svc.Generation}}
		}
		s.v.services.put(string(svc.Spec.ID), svc)
		for _, k := range sortedKeys(svc.Places) {
			s.indexPlace(svc.Spec.ID, k, svc.Places[k])
		}
	}
	for _, l := range im.Leftovers {
		s.v.leftovers.put(string(l.Service), l)
		for _, k := range sortedKeys(l.Places) {
			s.indexPlace(l.Service, k, l.Places[k])
		}
	}
}

// Restore makes a State of what Snapshot gave, and checks it.
func Restore(data []byte) (*State, error) {
	var im image
	if err := json.Unmarshal(data, &im); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if im.Version < 1 || im.Version > SnapshotVersion {
		return nil, fmt.Errorf("snapshot: version %d, this program reads 1 to %d; run the version that wrote it", im.Version, SnapshotVersion)
	}
	s := New()
	s.v.index, s.v.at = im.Index, im.At
	for _, a := range im.Agents {
		// Allocated, Held and Tasks are counted again as the tasks come.
		n := *a
		n.Allocated, n.Held, n.Tasks = cluster.Resources{}, nil, 0
		s.putAgent(nil, &n)
	}
	for _, q := range im.Quotas {
		s.v.quotas.put(string(q.Role), q)
	}
	for _, w := range im.Weights {
		s.v.weights.put(string(w.Role), w)
	}
	for _, f := range im.Frameworks {
		s.v.frameworks.put(string(f.Info.ID), f)
	}
	s.restoreServices(&im)
	for _, in := range im.Instances {
		s.v.instances.put(in.Key, in.Instance)
	}
	for _, r := range im.Runs {
		s.v.runs.put(string(r.Spec.ID), r)
		if r.State.Final() {
			s.v.endedRuns.put(endedKey(r.Ended, string(r.Spec.ID)), r)
		}
	}
	for _, t := range im.Tasks {
		if t.Active() && s.v.Agent(t.Agent) == nil {
			return nil, fmt.Errorf("snapshot: task %q is on agent %q, which is not in it", t.Spec.ID, t.Agent)
		}
		if im.Version >= 3 {
			t.History = append(make([]cluster.TaskStatus, 0, len(t.History)+1), t.History...)
			t.History = append(t.History, t.Status)
		}
		s.putTask(nil, t)
	}
	if err := Check(s); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return s, nil
}
