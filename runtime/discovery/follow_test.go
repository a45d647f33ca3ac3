package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// serve gives a server of a handler, whose address stays while the handler changes.
func serve(t testing.TB, h *atomic.Pointer[http.Handler]) *url.URL {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*h.Load()).ServeHTTP(w, r) }))
	t.Cleanup(func() {
		s.CloseClientConnections() // polls that wait
		s.Close()
	})
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// following starts Follow until the test is over.
func following(t testing.TB, u *url.URL) *Board {
	t.Helper()
	board := new(Board)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	client := &http.Client{Transport: &http.Transport{}}
	go func() { done <- Follow(ctx, Following{Master: u, Client: client, Board: board}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow: got %v", err)
		}
		client.CloseIdleConnections()
	})
	return board
}

// await waits until a board's zone satisfies something.
func await(t testing.TB, b *Board, ok func(*Zone) bool) *Zone {
	t.Helper()
	for {
		changed := b.Changed()
		if z := b.Zone(); ok(z) {
			return z
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("it does not come about")
		}
	}
}

// TestFollow brings what changes at the master to an agent, over the death of
// the master, and of its log.
func TestFollow(t *testing.T) {
	w := newWorld(t, 2)
	w.service("kafka", 1, cluster.PortSpec{})
	b := NewBuilder(config)
	up := new(Board)
	up.Set(b.Build(w.view()))
	var h atomic.Pointer[http.Handler]
	first := Handler(up.Zone, up.Changed)
	h.Store(&first)
	board := following(t, serve(t, &h))
	await(t, board, func(z *Zone) bool { return show(z, "kafka.universe") == "" })
	w.launch("kafka", 0, 1, 31000)
	w.up("kafka", 0)
	up.Set(b.Build(w.view()))
	z := await(t, board, func(z *Zone) bool { return show(z, "kafka.universe") == "10.0.1.1" })
	if z.Index() != w.view().Index() {
		t.Errorf("index: got %d, want %d", z.Index(), w.view().Index())
	}

	// The master is away: names stay. A new one begins anew, with another life.
	asked := make(chan struct{}, 1)
	var down http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "starting", http.StatusServiceUnavailable)
		select {
		case asked <- struct{}{}:
		default:
		}
	})
	h.Store(&down)
	w.service("web", 1, cluster.PortSpec{})
	up.Set(b.Build(w.view())) // lets the poll at the first end
	<-asked
	if got := show(board.Zone(), "kafka.universe"); got != "10.0.1.1" {
		t.Errorf("without a master: got %q", got)
	}
	other := newWorld(t, 1)
	other.service("redis", 1, cluster.PortSpec{})
	for other.view().Index() < w.view().Index() { // the same index, another content
		other.apply(core.PutFramework{Framework: cluster.Framework{ID: "f", Roles: []cluster.Role{"*"}}})
	}
	anew := new(Board)
	anew.Set(Build(other.view(), config))
	second := Handler(anew.Zone, anew.Changed)
	h.Store(&second)
	await(t, board, func(z *Zone) bool { return show(z, "redis.universe") == "" && show(z, "kafka.universe") == "-" })
}

func TestHandler_refused(t *testing.T) {
	h := Handler(new(Board).Zone, new(Board).Changed)
	for _, c := range []struct {
		method, query string
		want          int
	}{
		{"POST", "", http.StatusMethodNotAllowed},
		{"GET", "?index=x", http.StatusBadRequest},
		{"GET", "?index=-1", http.StatusBadRequest},
		{"GET", "?index=99999999999999999999", http.StatusBadRequest},
		{"GET", "", http.StatusOK},
		{"GET", "?index=5&life=unknown", http.StatusOK},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), c.method, PathNames+c.query, nil))
		if rec.Code != c.want {
			t.Errorf("%s %s: got %d %s, want %d", c.method, c.query, rec.Code, rec.Body, c.want)
		}
	}
}

// TestHandler_lives answers at once who comes with an index of another life, be
// it the very same, and lets who knows all wait.
func TestHandler_lives(t *testing.T) {
	w := newWorld(t, 1)
	board := new(Board)
	board.Set(Build(w.view(), config))
	h := Handler(board.Zone, board.Changed)
	get := func(ctx context.Context, life string) (u Update, answered bool) {
		rec := httptest.NewRecorder()
		q := url.Values{"index": {strconv.FormatInt(board.Zone().Index(), 10)}, "life": {life}}
		h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", PathNames+"?"+q.Encode(), nil))
		return u, json.Unmarshal(rec.Body.Bytes(), &u) == nil
	}
	u, ok := get(t.Context(), "another")
	if !ok || u.Base != 0 || u.Nodes == nil || u.Life == "" {
		t.Fatalf("another life: got %+v, %t", u, ok)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := get(ctx, u.Life); ok {
		t.Error("who knows all is answered before there is more")
	}
}

// TestFollow_hostile answers a poll with what no master says: the board keeps
// what it has.
func TestFollow_hostile(t *testing.T) {
	for name, answer := range map[string]string{
		"no JSON":    "<html>",
		"other base": `{"life":"x","base":7,"index":8}`,
		"other life": `{"life":"x","base":5,"index":8}`,
		"life":       `{"life":"` + strings.Repeat("x", maxLife+1) + `","index":8}`,
		"names":      `{"life":"x","index":8,"services":[{"id":"A"}]}`,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{}}
		f := Following{Master: u, Client: client, Board: new(Board)}
		before, err := new(Zone).Apply(Update{Index: 5})
		if err != nil {
			t.Fatal(err)
		}
		f.Board.Set(before)
		if _, err := f.poll(t.Context(), "y"); err == nil || f.Board.Zone() != before {
			t.Errorf("%s: got %v", name, err)
		}
		client.CloseIdleConnections()
		s.Close()
	}
}

// TestKeep builds after each change, until it is told to end.
func TestKeep(t *testing.T) {
	w := newWorld(t, 1)
	w.service("kafka", 1, cluster.PortSpec{})
	var view atomic.Pointer[core.View]
	view.Store(w.view())
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan struct{})
	board := new(Board)
	done := make(chan error, 1)
	go func() {
		done <- Keep(ctx, board, NewBuilder(config), view.Load, func(ctx context.Context) error {
			select {
			case <-events:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	await(t, board, func(z *Zone) bool {
		return show(z, "broker-0.kafka.universe") == "-" && show(z, "kafka.universe") == ""
	})
	w.launch("kafka", 0, 1, 31000)
	view.Store(w.view())
	events <- struct{}{}
	await(t, board, func(z *Zone) bool { return show(z, "broker-0.kafka.universe") == "10.0.1.1" })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
