package resolver

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrStopped is wrapped by the error of a solve that its context ended, beside
// the context's cause.
var ErrStopped = errors.New("solving was stopped")

func stopped(cause error) error { return fmt.Errorf("%w: %w", ErrStopped, cause) }

// Solver answers requests to one snapshot and keeps what it has read of it. Its
// answers do not depend on what it was asked before. It can be used from
// several goroutines.
type Solver struct {
	source Source

	mu       sync.Mutex // guards what follows and the making of facts
	nodes    int32      // how many there are
	packages map[string]*node
	features map[featureKey]*node
	choices  map[choiceKey]*node

	spare sync.Pool // of *search
}

type featureKey struct {
	owner   int32
	feature string
}

// New returns a Solver for a snapshot.
func New(source Source) *Solver {
	return &Solver{
		source:   source,
		packages: map[string]*node{},
		features: map[featureKey]*node{},
		choices:  map[choiceKey]*node{},
	}
}

// Solve answers one request. See [Solver.Solve].
func Solve(ctx context.Context, source Source, req Request) (*Solution, error) {
	return New(source).Solve(ctx, req)
}

// Solve picks one version of every needed package. The error is a
// [*NoSolution] if that cannot be done, a [*BudgetExceeded] if it takes more
// work than the request's limits allow, wraps [ErrStopped] if the context ended,
// or is that of the source.
func (s *Solver) Solve(ctx context.Context, req Request) (*Solution, error) {
	lim := req.Limits.orDefault()
	if err := checkRequest(req, &lim); err != nil {
		return nil, err
	}
	root, unlisted, err := s.request(ctx, req, &lim)
	if err != nil {
		return nil, err
	}
	if unlisted {
		// Rare: some installed version has left the source. It is added for
		// this request only, on top of a fresh reading.
		s = New(withInstalled{s.source, req.Installed})
		if root, _, err = s.request(ctx, req, &lim); err != nil {
			return nil, err
		}
	}
	w, _ := s.spare.Get().(*search)
	if w == nil {
		w = &search{}
	}
	w.begin(ctx, s, &req, &lim)
	defer func() {
		small := cap(w.terms) < keptTerms
		w.end()
		if small {
			s.spare.Put(w)
		}
	}()
	failed, err := w.run(root)
	if err != nil {
		return nil, w.annotate(err)
	}
	if failed >= 0 {
		return nil, &NoSolution{Request: req, Proof: w.proof(failed), Stats: w.stats()}
	}
	return w.solution()
}

// keptTerms is the size up to which the memory of a search is kept for the next:
// a hard request must not hold memory for good.
const keptTerms = 1 << 18

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	for _, f := range [][2]*int{
		{&d.Requirements, &l.Requirements}, {&d.Decisions, &l.Decisions}, {&d.Facts, &l.Facts},
		{&d.Steps, &l.Steps}, {&d.Packages, &l.Packages}, {&d.Versions, &l.Versions},
		{&d.Dependencies, &l.Dependencies}, {&d.Memory, &l.Memory}, {&d.NameLen, &l.NameLen},
	} {
		if *f[1] > 0 {
			*f[0] = *f[1]
		}
	}
	return d
}

func checkRequest(req Request, lim *Limits) error {
	if len(req.Requirements)+len(req.Installed)+len(req.Pins) > lim.Requirements {
		return &BudgetExceeded{What: "Requirements", Limit: lim.Requirements}
	}
	for _, d := range req.Requirements {
		if len(d.Features) > lim.Dependencies {
			return &BudgetExceeded{What: "Dependencies", Limit: lim.Dependencies, Subject: d.Name[:min(len(d.Name), lim.NameLen)]}
		}
	}
	return nil
}

// withInstalled adds installed versions that the source does not list.
type withInstalled struct {
	Source
	installed map[string]version
}

// Releases lists those of the source and, if it is missing, the installed one.
func (w withInstalled) Releases(ctx context.Context, name string) ([]Release, error) {
	list, err := w.Source.Releases(ctx, name)
	v, ok := w.installed[name]
	if err != nil || !ok {
		return list, err
	}
	for _, r := range list {
		if r.Version == v {
			return list, nil
		}
	}
	return append(list[:len(list):len(list)], Release{Version: v, unlisted: true}), nil
}
