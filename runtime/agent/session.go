package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	dialTimeout = 10 * time.Second
	// postTimeout bounds a report or heartbeat.
	postTimeout = 15 * time.Second
	// welcomeTimeout bounds the opening of a session: the master writes it to its log.
	welcomeTimeout = 30 * time.Second
	// streamSilence is how long the stream may say nothing, not even a ping.
	streamSilence = 3 * time.Duration(cluster.HeartbeatEvery) * time.Millisecond
	// minRetry and maxRetry bound the pause between two tries to reach the master.
	minRetry = 100 * time.Millisecond
	maxRetry = 10 * time.Second
	// resendAfter is when a report that was taken but not acknowledged is sent again.
	resendAfter = 10 * time.Second
	// maxBatch bounds the reports in one message.
	maxBatch = 500
)

// errStale says that the master has another session of ours, or none.
var errStale = errors.New("the master does not know this session")

// sessions opens one session after the other until ctx is done.
func (a *Agent) sessions(ctx, tasks context.Context) error {
	b := backoff{least: minRetry, most: maxRetry}
	for {
		welcomed, err := a.session(ctx, tasks)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if welcomed {
			b.reset()
		}
		a.log.Warn("no session with the master; trying again", "master", a.base.Redacted(), "err", err)
		if !b.wait(ctx) {
			return ctx.Err()
		}
	}
}

// session is one stream of orders, from Hello to its end.
func (a *Agent) session(ctx, tasks context.Context) (welcomed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	group, gctx := errgroup.WithContext(ctx)
	silence := time.AfterFunc(welcomeTimeout, func() { cancel(errors.New("the master says nothing")) })
	defer func() {
		silence.Stop()
		if cause := context.Cause(ctx); cause != nil {
			err = cause // what ended the session, rather than what it looked like from here
		}
		cancel(nil)
		_ = group.Wait() // its errors are causes of ctx
	}()
	hello, err := a.hello()
	if err != nil {
		return false, err
	}
	resp, err := a.post(ctx, cluster.PathSession, hello)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	lines := newLines(resp.Body)
	for {
		var o cluster.Order
		if err := lines.next(&o); err != nil {
			return welcomed, err
		}
		silence.Reset(streamSilence)
		if o.Kind == cluster.OrderWelcome && !welcomed {
			welcomed = true
			a.log.Info("session with the master", "session", o.Session, "tasks", len(hello.Tasks))
			a.ledger.NewSession()
			session := o.Session
			group.Go(func() error { return endOn(cancel, a.heartbeats(gctx, session)) })
			group.Go(func() error { return endOn(cancel, a.outbox(gctx, session)) })
			continue
		}
		if err := a.obey(tasks, o); err != nil {
			return welcomed, err
		}
	}
}

// hello is who we are and what we hold. It is counted before it is made, and
// made when no order of the session before is under way: of two Hellos the one
// with the higher count knows more.
func (a *Agent) hello() (cluster.Hello, error) {
	attempt, err := a.ledger.Attempt()
	if err != nil {
		return cluster.Hello{}, err
	}
	return cluster.Hello{
		Agent: a.describe(), Tasks: a.ledger.Reports(), Boot: a.cfg.BootID,
		Life: a.ledger.Life(), Attempt: attempt, Volumes: a.volumeNames(),
	}, nil
}

// endOn ends the session for an error of one of its parts.
func endOn(cancel context.CancelCauseFunc, err error) error {
	if err != nil {
		cancel(err)
	}
	return err
}

// obey carries out an order, up to the point where it is on disk.
func (a *Agent) obey(tasks context.Context, o cluster.Order) error {
	switch o.Kind {
	case cluster.OrderLaunch:
		if o.Spec == nil {
			return errors.New("launch order without a task")
		}
		return a.launch(tasks, *o.Spec)
	case cluster.OrderKill:
		return a.kill(o)
	case cluster.OrderAck:
		return a.ledger.Ack(o.Task, o.UUID)
	case cluster.OrderDestroy:
		return a.destroy(cluster.VolumeName{Role: o.Role, ID: o.Volume})
	case cluster.OrderPing:
	default:
		a.log.Warn("an order of the master is not understood", "kind", string(o.Kind))
	}
	return nil
}

// heartbeats says that we live, until ctx is done or the master denies the session.
func (a *Agent) heartbeats(ctx context.Context, session string) error {
	tick := time.NewTicker(millis(cluster.HeartbeatEvery))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := a.send(ctx, cluster.PathHeartbeat, cluster.Heartbeat{Session: session})
		if errors.Is(err, errStale) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			// The stream's own silence decides when the session is dead.
			a.log.Warn("heartbeat failed", "err", err)
		}
	}
}

// outbox sends the reports that are due, until ctx is done or the master denies
// the session.
func (a *Agent) outbox(ctx context.Context, session string) error {
	again := time.NewTicker(resendAfter)
	defer again.Stop()
	b := backoff{least: minRetry, most: maxRetry}
	for {
		select {
		case <-a.ledger.Changed():
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		due := a.ledger.Due(time.Now(), resendAfter, maxBatch)
		if len(due) == 0 {
			continue
		}
		err := a.send(ctx, cluster.PathUpdates, cluster.Updates{Session: session, Statuses: due})
		if err == nil {
			b.reset()
			continue
		}
		a.ledger.Unsend(due)
		if errors.Is(err, errStale) {
			return err
		}
		if ctx.Err() == nil {
			a.log.Warn("reports were not taken; trying again", "reports", len(due), "err", err)
		}
		if !b.wait(ctx) {
			return ctx.Err()
		}
	}
}

// send posts a small message and wants no answer.
func (a *Agent) send(ctx context.Context, path string, message any) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	resp, err := a.post(ctx, path, message)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, problem.MaxBody)) // to use the connection again
	return resp.Body.Close()
}

// post sends a message; a reply of 400 and over is an error.
func (a *Agent) post(ctx context.Context, path string, message any) (*http.Response, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	if len(body) > cluster.MaxWireMessage {
		return nil, fmt.Errorf("message to %s has %d bytes, over the limit of %d", path, len(body), cluster.MaxWireMessage)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusGone {
		return nil, errStale
	}
	return nil, fmt.Errorf("master: %w", problem.Read(resp))
}

// lines reads newline-delimited JSON, each line at most cluster.MaxWireMessage.
type lines struct{ scan *bufio.Scanner }

func newLines(r io.Reader) lines {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), cluster.MaxWireMessage)
	return lines{s}
}

func (l lines) next(into any) error {
	for l.scan.Scan() {
		if len(bytes.TrimSpace(l.scan.Bytes())) == 0 {
			continue
		}
		if err := json.Unmarshal(l.scan.Bytes(), into); err != nil {
			return fmt.Errorf("order of the master: %w", err)
		}
		return nil
	}
	if err := l.scan.Err(); err != nil {
		return err
	}
	return errors.New("the master closed the stream")
}
