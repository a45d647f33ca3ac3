package native

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/universe-dcos/universe/internal/auth"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
)

// Cluster is the master, as this API needs it. One that is a Frameworks too has
// the offer API, one that is a Joiner gives out tokens to join with, one that is
// an Executor runs processes in the containers of tasks, one that is an Explainer
// says why frameworks wait.
type Cluster interface {
	// View is the present state.
	View() *core.View
	// Now is the master's time.
	Now() cluster.Time
	// Submit puts a command into the log and waits until it is applied.
	Submit(ctx context.Context, cmd core.Command) (index int64, events []core.Event, err error)
	// Events waits for the events with an index above since. next is the since
	// of the next call; lost says that some before them are no longer kept.
	Events(ctx context.Context, since int64) (events []core.Event, next int64, lost bool, err error)
	// TaskLog gives the output of a task.
	TaskLog(ctx context.Context, id cluster.TaskID, o client.LogOptions) (io.ReadCloser, error)
}

const (
	// MaxRequest bounds the body of a request, in bytes.
	MaxRequest = 8 << 20
	// RequestTimeout bounds what is not a stream.
	RequestTimeout = 30 * time.Second
	// StreamPing is the time between two signs of life on an event stream.
	StreamPing = 15 * time.Second
	// StreamWriteTimeout bounds one write to a stream.
	StreamWriteTimeout = 30 * time.Second
)

// Config is what the API is made of.
type Config struct {
	Cluster Cluster
	// Principal says who makes a request; nil: everybody is anonymous.
	Principal func(*http.Request) auth.Principal
	// Authorizer decides what a principal may do; nil: everything.
	Authorizer auth.Authorizer
	// Logger gets a line for each failure that is ours; nil: none.
	Logger *slog.Logger
}

// api is the handlers.
type api struct{ Config }

// New gives the handler of all paths under /v1 that are the master's.
func New(c Config) http.Handler {
	if c.Principal == nil {
		c.Principal = auth.AnonymousRequest
	}
	if c.Authorizer == nil {
		c.Authorizer = auth.AllowAll{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	a := &api{c}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+client.PathState, a.handle(auth.Read, "state", a.state))
	mux.HandleFunc("GET "+client.PathAgents, a.handle(auth.Read, "agent", a.agents))
	mux.HandleFunc("POST "+client.PathTokens, a.handle(auth.Write, "agent", a.mintToken))
	mux.HandleFunc("PUT "+client.PathMaintenance, a.handle(auth.Write, "agent", a.putMaintenance))
	mux.HandleFunc("POST "+client.PathAgents+"/{id}/drain", a.handle(auth.Delete, "agent", a.drainAgent))
	mux.HandleFunc("POST "+client.PathAgents+"/{id}/deactivate", a.handle(auth.Write, "agent", a.deactivateAgent))
	mux.HandleFunc("POST "+client.PathAgents+"/{id}/reactivate", a.handle(auth.Write, "agent", a.reactivateAgent))
	mux.HandleFunc("DELETE "+client.PathAgents+"/{id}", a.handle(auth.Delete, "agent", a.removeAgent))
	a.serviceRoutes(mux)
	mux.HandleFunc("GET "+client.PathTasks, a.handle(auth.Read, "task", a.tasks))
	mux.HandleFunc("GET "+client.PathTasks+"/{id}", a.handle(auth.Read, "task", a.task))
	mux.HandleFunc("POST "+client.PathTasks+"/{id}/kill", a.handle(auth.Delete, "task", a.killTask))
	mux.HandleFunc("GET "+client.PathTasks+"/{id}/log", a.stream(auth.Read, "task", a.taskLog))
	mux.HandleFunc("POST "+client.PathTasks+"/{id}/exec", a.stream(auth.Exec, "task", a.exec))
	mux.HandleFunc("GET "+client.PathRuns, a.handle(auth.Read, "run", a.runs))
	mux.HandleFunc("POST "+client.PathRuns, a.handle(auth.Write, "run", a.startRun))
	mux.HandleFunc("GET "+client.PathRuns+"/{id}", a.handle(auth.Read, "run", a.run))
	mux.HandleFunc("DELETE "+client.PathRuns+"/{id}", a.handle(auth.Delete, "run", a.cancelRun))
	mux.HandleFunc("GET "+client.PathFrameworks, a.handle(auth.Read, "framework", a.frameworks))
	mux.HandleFunc("GET "+client.PathFrameworks+"/{id}/why", a.handle(auth.Read, "framework", a.why))
	mux.HandleFunc("DELETE "+client.PathFrameworks+"/{id}", a.handle(auth.Delete, "framework", a.removeFramework))
	mux.HandleFunc("POST "+framework.PathSession, a.stream(auth.Write, "framework", a.frameworkSession))
	mux.HandleFunc("POST "+framework.PathCalls, a.handle(auth.Write, "framework", a.frameworkCalls))
	mux.HandleFunc("GET "+client.PathEvents, a.stream(auth.Read, "events", a.events))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, problem.New(problem.NotFound, "there is no %s %s in this API", r.Method, r.URL.Path))
	})
	return mux
}

// call is an authorized request.
type call struct {
	*http.Request
	principal auth.Principal
	id        string // of the object, from the path
}

// reply is a status and what is sent as JSON.
type reply struct {
	status int
	body   any
}

func ok(body any) (reply, error) { return reply{http.StatusOK, body}, nil }

// authorize is the one place where it is decided who may do what.
func (a *api) authorize(r *http.Request, verb auth.Verb, kind string) (call, error) {
	c := call{Request: r, principal: a.Principal(r), id: r.PathValue("id")}
	return c, a.Authorizer.Authorize(r.Context(), c.principal, verb, auth.Object{Kind: kind, ID: c.id})
}

// handle makes a handler of a function that answers with JSON.
func (a *api) handle(verb auth.Verb, kind string, f func(call) (reply, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), RequestTimeout)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, MaxRequest)
		c, err := a.authorize(r, verb, kind)
		var rep reply
		if err == nil {
			rep, err = f(c)
		}
		if err != nil {
			a.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(rep.status)
		if err := json.NewEncoder(w).Encode(rep.body); err != nil {
			a.Logger.Debug("reply not written", "path", r.URL.Path, "err", err)
		}
	}
}

// stream makes a handler of a function that writes for as long as it likes. Its
// error counts only while nothing is written.
func (a *api) stream(verb auth.Verb, kind string, f func(http.ResponseWriter, call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := a.authorize(r, verb, kind)
		if err == nil {
			err = f(w, c)
		}
		if err != nil {
			a.fail(w, r, err)
		}
	}
}

func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, framework.ErrSession) {
		http.Error(w, err.Error(), http.StatusGone) // as the offer API says
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = problem.New(problem.Unavailable, "%w", err)
	}
	if problem.Of(err).Class == problem.Internal && r.Context().Err() == nil {
		a.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	problem.Write(w, err)
}

// body decodes a request strictly: an unknown field is a mistake that would
// otherwise go unseen.
func body[T any](c call) (T, error) {
	var out T
	dec := json.NewDecoder(c.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(&out)
	if err == nil && dec.More() {
		err = errors.New("more than one JSON value")
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return out, problem.New(problem.TooLarge, "%s %s: body over the limit of %d bytes", c.Method, c.URL.Path, large.Limit)
	case err != nil:
		return out, problem.New(problem.Invalid, "%s %s: body: %w", c.Method, c.URL.Path, err)
	}
	return out, nil
}

// optional is body for a request that may have none.
func optional[T any](c call) (out T, err error) {
	if c.ContentLength == 0 {
		return out, nil
	}
	return body[T](c)
}

// number reads a query parameter that is a number of 0 or more.
func number(c call, name string, missing int64) (int64, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, problem.New(problem.Invalid, "%s: %s=%q is not a number of 0 or more", c.URL.Path, name, text)
	}
	return n, nil
}

// flag reads a query parameter that is true or false.
func flag(c call, name string) (bool, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, problem.New(problem.Invalid, "%s: %s=%q is not true or false", c.URL.Path, name, text)
	}
	return v, nil
}
