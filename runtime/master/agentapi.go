package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/master/pki"
)

// Handler serves agents: the three paths of cluster.PathSession and its like,
// the cluster's names (discovery.PathNames), and the two by which they get certificates (pki.PathJoin, pki.PathRenew).
// Its server asks for client certificates (pki.MasterServer) and sets no write
// time-out, since a session lasts; the handler bounds each write itself.
func (m *Master) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+cluster.PathSession, m.serveSession)
	mux.HandleFunc("POST "+cluster.PathUpdates, m.serveUpdates)
	mux.HandleFunc("POST "+cluster.PathHeartbeat, m.serveHeartbeat)
	mux.HandleFunc("GET "+discovery.PathNames, m.serveNames)
	mux.HandleFunc("POST "+pki.PathJoin, m.serveJoin)
	mux.HandleFunc("POST "+pki.PathRenew, m.serveRenew)
	return mux
}

// speaker is the agent at the other end, as its certificate says; claimed is
// what it says itself, and counts only where words are trusted.
func (m *Master) speaker(r *http.Request, claimed cluster.AgentID) (cluster.AgentID, error) {
	if r.TLS == nil && m.cfg.TrustHello {
		return claimed, nil
	}
	name := pki.PeerName(r.TLS)
	switch {
	case name == "":
		return "", problem.New(problem.Unauthorized, "agent connection without a certificate of this cluster")
	case claimed != "" && cluster.AgentID(name) != claimed:
		return "", problem.New(problem.Forbidden, "the certificate is agent %q's and cannot speak for agent %q", name, claimed)
	}
	return cluster.AgentID(name), nil
}

// decode reads one JSON message of at most cluster.MaxWireMessage bytes.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	body := http.MaxBytesReader(w, r.Body, cluster.MaxWireMessage)
	if err := json.NewDecoder(body).Decode(into); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return problem.New(problem.TooLarge, "%s: message over the limit of %d bytes", r.URL.Path, large.Limit)
		}
		return problem.New(problem.Invalid, "%s: %w", r.URL.Path, err)
	}
	// The connection is watched for its end only after the body is read to its own.
	_, _ = io.Copy(io.Discard, body)
	return nil
}

func (m *Master) serveSession(w http.ResponseWriter, r *http.Request) {
	var hello cluster.Hello
	if err := decode(w, r, &hello); err != nil {
		problem.Write(w, err)
		return
	}
	agent, err := m.speaker(r, hello.Agent.ID)
	if err == nil {
		err = implausible(m.View(), &hello)
	}
	if err != nil {
		m.log.Warn("agent refused", "agent", hello.Agent.ID, "remote", r.RemoteAddr, "err", err)
		problem.Write(w, err)
		return
	}
	s := newSession(agent)
	cmd := core.RegisterAgent{Agent: hello.Agent, Boot: hello.Boot, Tasks: hello.Tasks, Volumes: hello.Volumes,
		Life: hello.Life, Attempt: hello.Attempt, Principal: "agent:" + string(agent)}
	if err := m.open(r.Context(), cmd, s); err != nil {
		if late(m.View(), &hello) {
			// It says nothing, also not that the session which came after it is over.
			err = problem.New(problem.Exists, "%w", err)
		}
		m.log.Warn("agent refused", "agent", agent, "err", err)
		problem.Write(w, err)
		return
	}
	m.log.Info("agent session opened", "agent", agent, "session", s.id, "remote", r.RemoteAddr, "tasks", len(hello.Tasks))
	m.stream(w, r, s)
	s.end(errStreamEnded)
	m.sessions.remove(s)
	m.log.Info("agent session ended", "agent", agent, "session", s.id, "err", s.cause)
}

// late reports whether a later Hello of the same life came before.
func late(view *core.View, h *cluster.Hello) bool {
	a := view.Agent(h.Agent.ID)
	return a != nil && h.Attempt != 0 && a.Life == h.Life && h.Attempt <= a.Attempt
}

// stream writes a session's orders until it ends.
func (m *Master) stream(w http.ResponseWriter, r *http.Request, s *session) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	ctl := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	write := func(orders ...cluster.Order) bool {
		// A connection that cannot have a deadline is a test's recorder.
		_ = ctl.SetWriteDeadline(time.Now().Add(orderWriteTimeout))
		for i := range orders {
			if enc.Encode(&orders[i]) != nil {
				return false
			}
		}
		return ctl.Flush() == nil
	}
	ping := time.NewTicker(time.Duration(cluster.HeartbeatEvery) * time.Millisecond)
	defer ping.Stop()
	for {
		select {
		case <-s.ready:
			if !write(s.take()...) {
				return
			}
		case <-ping.C:
			if !write(cluster.Order{Kind: cluster.OrderPing}) {
				return
			}
		case <-s.done:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (m *Master) serveUpdates(w http.ResponseWriter, r *http.Request) {
	var updates cluster.Updates
	if err := decode(w, r, &updates); err != nil {
		problem.Write(w, err)
		return
	}
	agent, err := m.inSession(r, updates.Session)
	if err != nil {
		answer(w, err)
		return
	}
	if n := len(updates.Statuses); n > MaxUpdates {
		problem.Write(w, problem.New(problem.TooLarge, "%d reports in one message, over the limit of %d", n, MaxUpdates))
		return
	}
	cmds := make([]core.Command, len(updates.Statuses))
	for i, st := range updates.Statuses {
		st.Agent = agent
		cmds[i] = core.UpdateTask{Status: st, Principal: "agent:" + string(agent)}
	}
	refused, err := m.submitAll(r.Context(), cmds)
	if err != nil {
		problem.Write(w, err)
		return
	}
	// They are in the log and acknowledged: the agent need not hear it.
	for _, err := range refused {
		m.log.Warn("report refused", "agent", agent, "err", err)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (m *Master) serveHeartbeat(w http.ResponseWriter, r *http.Request) {
	var beat cluster.Heartbeat
	if err := decode(w, r, &beat); err != nil {
		problem.Write(w, err)
		return
	}
	if _, err := m.inSession(r, beat.Session); err != nil {
		answer(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// errNotCurrent says that a session is not its agent's current one.
var errNotCurrent = errors.New("not the agent's current session; open a new one")

// inSession is the agent that speaks in a session; it was heard then.
func (m *Master) inSession(r *http.Request, id string) (cluster.AgentID, error) {
	agent, err := m.speaker(r, "")
	if err != nil {
		return "", err
	}
	if agent == "" { // words are trusted: the session's secret id says who it is
		agent = m.sessions.owner(id)
	}
	if !m.sessions.hear(id, time.Now(), agent) {
		return "", errNotCurrent
	}
	return agent, nil
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // whoever asked has gone: nobody to tell
}

// answer writes err; a session that is not current is 410, as the protocol says.
func answer(w http.ResponseWriter, err error) {
	if errors.Is(err, errNotCurrent) {
		http.Error(w, fmt.Sprint(err), http.StatusGone)
		return
	}
	problem.Write(w, err)
}
