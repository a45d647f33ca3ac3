package server_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/registrytest"
	"github.com/universe-dcos/universe/registry/remote"
	"github.com/universe-dcos/universe/registry/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer opens a registry that the test closes.
func newServer(tb testing.TB, o server.Options) *server.Server {
	tb.Helper()
	if o.Root == "" && o.Blobs == nil {
		o.Root = tb.TempDir()
	}
	s, err := server.New(o)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(tb.Context()); err != nil && tb.Context().Err() == nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}

// serve puts a registry on a loopback port and gives its host.
func serve(tb testing.TB, s *server.Server) string {
	tb.Helper()
	h := httptest.NewServer(s)
	tb.Cleanup(h.Close)
	return strings.TrimPrefix(h.URL, "http://")
}

func openRemote(tb testing.TB, host, repository string) *remote.Repository {
	tb.Helper()
	client := newClient(tb)
	r, err := remote.Open(registry.Ref{Host: host, Repository: repository}, remote.Options{Anonymous: true, Client: client})
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	return r
}

func TestStore_direct(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registry.Store {
		return newServer(t, server.Options{Durability: server.DurabilityOff}).Repository("data/spark")
	})
}

func TestStore_overHTTP(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registry.Store {
		return openRemote(t, serve(t, newServer(t, server.Options{Durability: server.DurabilityOff})), "data/spark")
	})
}
