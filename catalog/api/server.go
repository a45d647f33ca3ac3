package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/catalog/search"
	"github.com/universe-dcos/universe/internal/auth"
	"github.com/universe-dcos/universe/internal/problem"
)

// MaxBody bounds the body of a request, in bytes: options and a little more.
const MaxBody = 512 << 10

// RequestTimeout bounds the work for one request.
const RequestTimeout = 60 * time.Second

// errTooLong is why a request was given up.
var errTooLong = problem.New(problem.Unavailable, "the request took more than %s", RequestTimeout)

// Options are what New needs. Index and Planner must be set.
type Options struct {
	Index   *index.Index
	Planner *plan.Planner
	// Authorizer decides; nil allows all.
	Authorizer auth.Authorizer
	// Principal says who makes a request; nil: everybody is anonymous.
	Principal func(*http.Request) auth.Principal
	// Logger gets the faults that are ours; nil for none.
	Logger *slog.Logger
}

// Server is the catalog's API. It is an http.Handler for /v1/packages,
// /v1/plans and /v1/installations.
type Server struct {
	index      *index.Index
	planner    *plan.Planner
	authorizer auth.Authorizer
	principal  func(*http.Request) auth.Principal
	log        *slog.Logger
	mux        *http.ServeMux
	building   sync.Mutex // held while a search index is made
	searching  atomic.Pointer[searchable]
}

// searchable is the search index of a snapshot.
type searchable struct {
	serial uint64
	index  *search.Index
}

// New makes the API.
func New(o Options) *Server {
	s := &Server{index: o.Index, planner: o.Planner, authorizer: o.Authorizer, principal: o.Principal, log: o.Logger, mux: http.NewServeMux()}
	if s.authorizer == nil {
		s.authorizer = auth.AllowAll{}
	}
	if s.principal == nil {
		s.principal = auth.AnonymousRequest
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.handle("GET /v1/packages", auth.Read, "package", "", s.search)
	s.handle("GET /v1/packages/{name}", auth.Read, "package", "name", s.detail)
	s.handle("GET /v1/packages/{name}/icon", auth.Read, "package", "name", s.icon)
	s.handle("GET /v1/packages/{name}/options", auth.Read, "package", "name", s.options)
	s.handle("POST /v1/plans", auth.Read, "plan", "", s.plan)
	s.handle("POST /v1/installations", auth.Write, "installation", "", s.install)
	s.handle("GET /v1/installations", auth.Read, "installation", "", s.installations)
	s.handle("GET /v1/installations/{id}", auth.Read, "installation", "id", s.installation)
	s.handle("DELETE /v1/installations/{id}", auth.Delete, "installation", "id", s.remove)
	s.handle("GET /v1/installations/{id}/actions", auth.Read, "installation", "id", s.actions)
	s.handle("POST /v1/installations/{id}/actions", auth.Write, "installation", "id", s.run)
	return s
}

// Paths lists the path prefixes that a front door hands to the Server.
func Paths() []string { return []string{"/v1/packages", "/v1/plans", "/v1/installations"} }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern == "" {
		// The mux answers in text; find out what it would say and say it as a problem.
		probe := &statusOnly{header: http.Header{}}
		s.mux.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", probe.header.Get("Allow"))
			problem.Write(w, problem.New(problem.Invalid, "%s is not a method of %s", r.Method, r.URL.Path).WithHint("it has: %s", probe.header.Get("Allow")))
			return
		}
		problem.Write(w, problem.New(problem.NotFound, "there is nothing at %s", r.URL.Path))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// statusOnly keeps the status and the headers of an answer.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }

// call is a request that was let in.
type call struct {
	w   http.ResponseWriter
	r   *http.Request
	who auth.Principal
}

// handle registers a handler behind the authorizer. id names the path value
// that is the object's id.
func (s *Server) handle(pattern string, verb auth.Verb, kind, id string, h func(call) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		ctx, stop := context.WithTimeoutCause(r.Context(), RequestTimeout, errTooLong)
		defer stop()
		r = r.WithContext(ctx)
		c := call{w, r, s.principal(r)}
		object := auth.Object{Kind: kind}
		if id != "" {
			object.ID = r.PathValue(id)
		}
		err := s.authorizer.Authorize(ctx, c.who, verb, object)
		if err == nil {
			r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
			err = h(c)
		}
		if err != nil {
			if problem.Of(err).Class == problem.Internal {
				s.log.Error("catalog request failed", "method", r.Method, "path", r.URL.Path, "err", err)
			}
			problem.Write(w, err)
		}
	})
}

// decode reads a JSON body strictly.
func (c call) decode(into any) error {
	dec := json.NewDecoder(c.r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("text after the end of the JSON value")
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem.New(problem.TooLarge, "the body has more than %d bytes", MaxBody)
	case errors.Is(err, io.EOF):
		return problem.New(problem.Invalid, "the request has no body: want a JSON object")
	}
	return problem.New(problem.Invalid, "the body cannot be read: %w", err)
}

// reply answers with JSON.
func (c call) reply(status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(b, '\n')) // the status is out: nothing is left to tell a client that went away
	return nil
}

// number reads a query parameter that is a count.
func (c call) number(name string) (int, error) {
	s := c.r.URL.Query().Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, problem.New(problem.Invalid, "%s=%q: want a number from 0", name, s)
	}
	return n, nil
}

// searchIndex gives the search index of a snapshot; it is made once.
func (s *Server) searchIndex(snap *index.Snapshot) *search.Index {
	if at := s.searching.Load(); at != nil && at.serial == snap.Serial {
		return at.index
	}
	s.building.Lock()
	defer s.building.Unlock()
	if at := s.searching.Load(); at != nil && at.serial >= snap.Serial {
		return at.index // somebody else made it meanwhile
	}
	listings := make([]catalog.Listing, 0, snap.Len())
	for _, name := range snap.PackageNames() {
		listings = append(listings, snap.Package(name).Listing())
	}
	idx := search.Build(listings)
	s.searching.Store(&searchable{snap.Serial, idx})
	return idx
}
