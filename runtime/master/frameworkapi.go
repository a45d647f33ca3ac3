package master

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/alloc"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
)

// Frameworks gives a principal the offer API, in this process: what the API over
// HTTP calls, and a framework that is compiled in.
func (m *Master) Frameworks(principal string) framework.Transport {
	return inProcess{m, principal}
}

// inProcess implements framework.Transport for one principal.
type inProcess struct {
	m         *Master
	principal string
}

// Open implements framework.Transport.
func (t inProcess) Open(ctx context.Context, sub framework.Subscribe) (framework.Stream, error) {
	if err := sub.Check(); err != nil {
		return nil, err
	}
	info, err := t.identify(sub.Framework)
	if err != nil {
		return nil, err
	}
	s := newFrameworkSession(info.ID, t.principal)
	o := t.m.submit(ctx, request{cmd: core.PutFramework{Framework: info, Principal: t.principal}, framework: s})
	if o.err != nil {
		s.end(errClosedStream) // should it be installed yet
		return nil, o.err
	}
	return &stream{session: s, m: t.m}, nil
}

// keptRoles refuses roles that places of services are reserved for: whoever has
// one of them, or one below, is offered what is reserved, with its volumes.
func keptRoles(view *core.View, roles []cluster.Role) error {
	kept := map[cluster.Role]cluster.ServiceID{}
	for s := range view.Services() {
		kept[cluster.PlaceRole(&s.Spec)] = s.Spec.ID
	}
	for l := range view.Leftovers() {
		kept[l.Role] = l.Service
	}
	all := cluster.PlaceRole(&cluster.ServiceSpec{}) // "services/", and an id
	for _, role := range roles {
		if strings.HasPrefix(string(role), string(all)) {
			return problem.New(problem.Forbidden, "role %.64q: what is below %q is for the volumes of services", role, all)
		}
		for part := string(role); part != ""; part = part[:max(0, strings.LastIndexByte(part, '/'))] {
			if id, is := kept[cluster.Role(part)]; is {
				return problem.New(problem.Forbidden, "role %.64q is for the volumes of service %q", role, id)
			}
		}
	}
	return nil
}

// identify completes what a framework says of itself, and mints its id.
func (t inProcess) identify(f cluster.Framework) (cluster.Framework, error) {
	f.Principal = t.principal
	if len(f.Roles) == 0 {
		f.Roles = []cluster.Role{cluster.DefaultRole}
	}
	view := t.m.View()
	if err := keptRoles(view, f.Roles); err != nil {
		return f, err
	}
	if f.ID != "" {
		if view.Framework(f.ID) == nil || isBuiltin(f.ID) {
			return f, problem.New(problem.NotFound, "there is no framework %.64q: it was removed, or never was", f.ID).
				WithHint("subscribe without an id to become a new framework")
		}
		return f, nil
	}
	n := 0
	for range view.Frameworks() {
		n++
	}
	if n >= MaxFrameworks {
		return f, problem.New(problem.RateLimited, "the cluster has %d frameworks, which is the limit", n).WithHint("remove one")
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails (crypto/rand since Go 1.24)
	f.ID = cluster.FrameworkID("framework-" + hex.EncodeToString(id))
	return f, nil
}

// Call implements framework.Transport.
func (t inProcess) Call(ctx context.Context, id cluster.FrameworkID, c framework.Calls) error {
	if err := c.Check(); err != nil {
		return err
	}
	return t.m.submit(ctx, request{calls: &calling{framework: id, principal: t.principal, calls: c}}).err
}

// Why says what keeps a framework from getting an amount under a role, as of the
// latest round of offers.
func (m *Master) Why(ctx context.Context, id cluster.FrameworkID, role cluster.Role, need cluster.Resources) (alloc.Why, error) {
	if m.View().Framework(id) == nil {
		return alloc.Why{}, problem.New(problem.NotFound, "there is no framework %.64q", id)
	}
	var why alloc.Why
	o := m.submit(ctx, request{ask: func(l *loop) { why = l.built.alloc.Why(m.Now(), id, role, need) }})
	if o.err != nil {
		return alloc.Why{}, o.err // the loop may still be about to answer
	}
	return why, nil
}

var errClosedStream = errors.New("the stream was closed")

// stream implements framework.Stream over a session.
type stream struct {
	session *frameworkSession
	m       *Master
	queue   []framework.Event
}

// Next implements framework.Stream. A session that the master ended gives its
// last events first.
func (s *stream) Next(ctx context.Context) (framework.Event, error) {
	beat := time.NewTimer(time.Duration(framework.HeartbeatEvery) * time.Millisecond)
	defer beat.Stop()
	for {
		ended := s.session.ended() // before looking for the last events
		if len(s.queue) == 0 {
			s.queue = s.session.take()
		}
		switch {
		case ended && (len(s.queue) == 0 || s.session.reason() == s.session.slow):
			return last(s.session.reason())
		case len(s.queue) > 0:
			e := s.queue[0]
			s.queue = s.queue[1:]
			return e, nil
		}
		select {
		case <-s.session.ready:
		case <-s.session.done:
		case <-s.m.done:
			return last(errStoppedMaster)
		case <-beat.C:
			return framework.Event{Heartbeat: &framework.Heartbeat{At: s.m.Now()}}, nil
		case <-ctx.Done():
			return framework.Event{}, context.Cause(ctx)
		}
	}
}

// last is the end of a stream: the event that says why, and that as an error.
func last(cause error) (framework.Event, error) {
	p := problem.Of(cause)
	return framework.Event{Error: &framework.Error{Code: string(p.Class), Message: p.Detail}}, cause
}

// Close implements framework.Stream.
func (s *stream) Close() error {
	s.session.end(errClosedStream)
	s.m.wake()
	return nil
}

// wake has the loop go round, for it to see that a session ended. A loop with a
// full inbox goes round anyway.
func (m *Master) wake() {
	select {
	case m.inbox <- request{}:
	default:
	}
}
