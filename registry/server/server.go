package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
)

// Durability says when a write counts as done.
type Durability int

const (
	// Durable, the default, answers when the disk has the content: it survives
	// a loss of power.
	Durable Durability = iota
	// DurabilityOff answers when the kernel has it: it survives the end of the
	// process. For tests and throw-away registries.
	DurabilityOff
)

// Options are what New needs. Root or both Blobs and Meta must be set.
type Options struct {
	// Root is the registry's directory; it is made when it does not exist.
	Root string
	// Durability is that of the stores under Root.
	Durability Durability
	// Blobs replaces the BlobStore under Root.
	Blobs BlobStore
	// Meta replaces the MetaStore under Root; the server closes it.
	Meta MetaStore
	// Limits bound what clients can do.
	Limits Limits
	// Logger gets what an operator should know; nil for none.
	Logger *slog.Logger
	// Authorize is asked before every request; nil allows all.
	Authorize Authorize
	// Challenge is the WWW-Authenticate header of 401 answers, which tells
	// clients how to prove who they are (RFC 9110 §11.6.1). Default
	// DefaultChallenge.
	Challenge string
	// OnPush is told of every manifest and tag after it is durable, before the
	// client is. Calls may come at the same time; it must not block.
	OnPush func(Event)
}

// Event is a manifest that was pushed or tagged.
type Event struct {
	// Repository is the repository's name.
	Repository string
	// Tag is the tag that was set; empty for a push by digest alone.
	Tag string
	// Digest is the manifest's digest.
	Digest string
	// MediaType is the manifest's media type.
	MediaType string
	// ArtifactType is the manifest's artifactType, or the media type of its
	// config; empty for an index without one.
	ArtifactType string
}

// Server is the registry. It is an http.Handler.
type Server struct {
	blobs     BlobStore
	meta      MetaStore
	limits    Limits
	log       *slog.Logger
	authorize Authorize
	challenge string
	onPush    func(Event)
	sessions  *sessions
	routes    map[routeKind]methods

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // requests and calls of Repository's stores
}

const (
	versionFile = "VERSION"
	layout      = "universe-registry 1"
	metaFile    = "meta.db"
)

// New opens the registry, or makes an empty one, and takes up the uploads that
// a former process left.
func New(o Options) (*Server, error) {
	if o.Root == "" && (o.Blobs == nil || o.Meta == nil) {
		return nil, problem.New(problem.Invalid, "registry needs a directory, or a blob store and a metadata store")
	}
	s := &Server{blobs: o.Blobs, meta: o.Meta, limits: o.Limits.withDefaults(), log: o.Logger,
		authorize: o.Authorize, challenge: cmp.Or(o.Challenge, DefaultChallenge), onPush: o.OnPush}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.authorize == nil {
		s.authorize = allowAll
	}
	if s.onPush == nil {
		s.onPush = func(Event) {}
	}
	s.routes = s.endpoints()
	if err := s.openStores(o); err != nil {
		return nil, err
	}
	var err error
	if s.sessions, err = openSessions(s.blobs, s.limits); err != nil {
		return nil, errors.Join(err, s.meta.Close())
	}
	return s, nil
}

func (s *Server) openStores(o Options) error {
	if o.Root != "" {
		if err := os.MkdirAll(o.Root, 0o700); err != nil {
			return fmt.Errorf("make registry directory: %w", err)
		}
		if err := checkVersion(filepath.Join(o.Root, versionFile)); err != nil {
			return err
		}
	}
	if s.meta == nil {
		// First, as its lock keeps other processes out.
		m, err := OpenBolt(filepath.Join(o.Root, metaFile), o.Durability)
		if err != nil {
			return err
		}
		s.meta = m
	}
	if s.blobs == nil {
		d, err := OpenDisk(o.Root, o.Durability, s.log)
		if err != nil {
			return errors.Join(err, s.meta.Close())
		}
		s.blobs = d
	}
	return nil
}

// checkVersion refuses a directory whose layout this program does not know,
// and marks a new one with the layout and a random id.
func checkVersion(path string) error {
	b, err := os.ReadFile(path)
	if isNotExist(err) {
		text := layout + "\n" + randomHex(16) + "\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("mark registry directory: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read registry directory: %w", err)
	}
	if line, _, _ := strings.Cut(string(b), "\n"); line != layout {
		return problem.New(problem.Invalid, "registry directory %s has layout %q, and this program knows %q", filepath.Dir(path), line, layout).
			WithHint("use the program that wrote it, or another directory")
	}
	return nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// enter counts a request in; leave counts it out.
func (s *Server) enter() (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, problem.New(problem.Unavailable, "the registry is shutting down")
	}
	s.running.Add(1)
	return s.running.Done, nil
}

// Close refuses new requests, waits for running ones until ctx ends, and
// closes the stores. Uploads stay and go on after the next start.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("close registry with requests running: %w", context.Cause(ctx))
	}
	if err := s.meta.Close(); err != nil {
		return fmt.Errorf("close registry: %w", err)
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	leave, err := s.enter()
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	defer leave()
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	rt, err := parsePath(r.URL.Path)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = newIdleBody(w, r.Body, s.limits.BodyIdle)
	}
	if err := s.dispatch(w, r, rt); err != nil {
		s.writeError(w, r, err)
	}
}

// now is the wall clock; records carry it for people, nothing decides by it
// but the expiry of idle uploads.
func now() time.Time { return time.Now().UTC() }
