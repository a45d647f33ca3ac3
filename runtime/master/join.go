package master

import (
	"context"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/master/pki"
)

// JoinConfig lets machines join with tokens.
type JoinConfig struct {
	Authority *pki.Authority // issues the certificates
	Registry  string         // host:port that joined agents pull images from; may be empty
}

const (
	// DefaultTokenLife is how long a token is good, unless it is said.
	DefaultTokenLife = time.Hour
	// MaxTokenLife is the longest that can be said.
	MaxTokenLife = 24 * time.Hour
	// MaxTokens is how many tokens are good at a time.
	MaxTokens = 1000
)

// joins are the tokens that are good. They are not in the log: a secret never
// is, and a master that was restarted knows of none. It is a leaf with a lock.
type joins struct {
	mu     sync.Mutex
	tokens map[[sha256.Size]byte]joinToken // by the hash of the secret
	issued map[cluster.AgentID]bool        // joined with a token for any agent, since the start
}

type joinToken struct {
	agent   cluster.AgentID // that it is for; empty: any that is new
	expires time.Time
}

func newJoins() *joins {
	return &joins{tokens: map[[sha256.Size]byte]joinToken{}, issued: map[cluster.AgentID]bool{}}
}

// MintToken makes a token with which one machine can join, once.
func (m *Master) MintToken(_ context.Context, ask client.MintToken) (client.JoinToken, error) {
	life := time.Duration(ask.Life) * time.Millisecond
	if life == 0 {
		life = DefaultTokenLife
	}
	switch {
	case m.cfg.Join == nil:
		return client.JoinToken{}, errNoJoin()
	case ask.Life < 0 || ask.Life > cluster.Millis(MaxTokenLife/time.Millisecond):
		return client.JoinToken{}, problem.New(problem.Invalid, "a token for %d ms: it is good for at most %s", ask.Life, MaxTokenLife)
	case ask.Agent != "" && !pki.ValidAgentID(string(ask.Agent)):
		return client.JoinToken{}, problem.New(problem.Invalid, "agent id %.63q: it is 1 to 63 of a-z, 0-9 and -", ask.Agent)
	}
	if a := m.View().Agent(ask.Agent); a != nil && a.State == cluster.AgentGone {
		return client.JoinToken{}, errIsGone(ask.Agent)
	}
	token, expires := m.cfg.Join.Authority.NewToken(), time.Now().Add(life)
	if err := m.joins.add(token.Secret, joinToken{ask.Agent, expires}); err != nil {
		return client.JoinToken{}, err
	}
	m.log.Info("join token minted", "agent", ask.Agent, "expires", expires)
	return client.JoinToken{Token: token.String(), Agent: ask.Agent, Expires: m.Now() + cluster.Time(life.Milliseconds())}, nil
}

func errNoJoin() error {
	return problem.New(problem.NotFound, "this master has no authority that could issue certificates").
		WithHint("name its directory in the master's configuration: authority")
}

func errIsGone(id cluster.AgentID) error {
	return problem.New(problem.Forbidden, "agent %q was declared gone and cannot come back", id).WithHint("let the machine join under another id")
}

func (j *joins) add(secret string, t joinToken) error {
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	for hash, old := range j.tokens {
		if !now.Before(old.expires) {
			delete(j.tokens, hash)
		}
	}
	if len(j.tokens) >= MaxTokens {
		return problem.New(problem.RateLimited, "%d join tokens are good and not used, which is the limit", len(j.tokens)).WithHint("wait until some expire")
	}
	j.tokens[sha256.Sum256([]byte(secret))] = t
	return nil
}

// use takes a token that is good for an agent: it is not good any more.
func (j *joins) use(secret string, id cluster.AgentID, view *core.View) error {
	hash := sha256.Sum256([]byte(secret))
	j.mu.Lock()
	defer j.mu.Unlock()
	t, ok := j.tokens[hash]
	switch known := view.Agent(id); {
	case !ok || !time.Now().Before(t.expires):
		return problem.New(problem.Unauthorized, "the join token is not known: it was used, its time is over, or the master was restarted since it was made").
			WithHint("make another one on the master: universe master token")
	case t.agent != "" && t.agent != id:
		return problem.New(problem.Forbidden, "the join token is for agent %q, not for %q", t.agent, id)
	case known != nil && known.State == cluster.AgentGone:
		return errIsGone(id)
	case t.agent == "" && (known != nil || j.issued[id]):
		return problem.New(problem.Conflict, "there is an agent %q already", id).
			WithHint("choose another id, or mint a token for this one: universe master token --agent %s", id)
	}
	delete(j.tokens, hash)
	j.issued[id] = true
	return nil
}

// serveJoin gives a machine with a token its first certificate.
func (m *Master) serveJoin(w http.ResponseWriter, r *http.Request) {
	var join pki.Join
	err := m.decodeSmall(w, r, &join)
	if err == nil {
		// First: a token is not to be lost over a request that cannot be signed.
		var cert []byte
		if cert, err = m.cfg.Join.Authority.Sign(join.Request, join.Agent); err != nil {
			err = problem.New(problem.Invalid, "%w", err)
		} else if err = m.joins.use(join.Secret, join.Agent, m.View()); err == nil {
			m.log.Info("agent joined", "agent", join.Agent, "remote", r.RemoteAddr)
			writeJSON(w, pki.Issued{Certificate: cert, Authority: m.cfg.Join.Authority.CertPEM(), Registry: m.cfg.Join.Registry})
			return
		}
	}
	m.log.Warn("join refused", "agent", join.Agent, "remote", r.RemoteAddr, "err", err)
	problem.Write(w, err)
}

// serveRenew gives an agent another certificate of its name.
func (m *Master) serveRenew(w http.ResponseWriter, r *http.Request) {
	var renew pki.Renew
	err := m.decodeSmall(w, r, &renew)
	var agent cluster.AgentID
	if err == nil {
		agent, err = m.speaker(r, "")
	}
	if a := m.View().Agent(agent); err == nil && a != nil && a.State == cluster.AgentGone {
		err = errIsGone(agent)
	}
	var cert []byte
	if err == nil {
		if cert, err = m.cfg.Join.Authority.Sign(renew.Request, agent); err != nil {
			err = problem.New(problem.Invalid, "%w", err)
		}
	}
	if err != nil {
		m.log.Warn("renewal refused", "agent", agent, "remote", r.RemoteAddr, "err", err)
		problem.Write(w, err)
		return
	}
	m.log.Info("agent's certificate renewed", "agent", agent)
	writeJSON(w, pki.Issued{Certificate: cert, Authority: m.cfg.Join.Authority.CertPEM(), Registry: m.cfg.Join.Registry})
}

// decodeSmall reads a request for a certificate, where there is an authority.
func (m *Master) decodeSmall(w http.ResponseWriter, r *http.Request, into any) error {
	if m.cfg.Join == nil {
		return errNoJoin()
	}
	r.Body = http.MaxBytesReader(w, r.Body, pki.MaxMessage)
	return decode(w, r, into)
}
