package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
)

const (
	// followTimeout bounds one poll: it waits for pollFor on the other side.
	followTimeout = pollFor + 15*time.Second
	// minPause is between two polls, so that a cluster in motion is not asked
	// without end; it adds to how old an answer can be.
	minPause = 20 * time.Millisecond
	// minRetry and maxRetry bound the pause after a failed poll.
	minRetry = 100 * time.Millisecond
	maxRetry = 5 * time.Second
)

// Following is where Follow gets zones from, and where it puts them.
type Following struct {
	Master *url.URL     // base of the master's listener for agents
	Client *http.Client // nil: http.DefaultClient; its Timeout must be over a minute, or 0
	Board  *Board
	Logger *slog.Logger // nil: silent
}

// Follow keeps the board at the master's latest zone until ctx is done, and
// returns its error then. While the master does not answer, the board keeps
// what it has: names of tasks outlive a master that restarts.
func Follow(ctx context.Context, f Following) error {
	if f.Client == nil {
		f.Client = http.DefaultClient
	}
	if f.Logger == nil {
		f.Logger = slog.New(slog.DiscardHandler)
	}
	life, pause, failing := "", minPause, false
	for ctx.Err() == nil {
		next, err := f.poll(ctx, life)
		switch {
		case err == nil:
			if failing {
				f.Logger.Info("names are followed again", "index", f.Board.Zone().Index())
			}
			life, pause, failing = next, minPause, false
		case ctx.Err() != nil:
		default:
			if !failing {
				f.Logger.Warn("names cannot be followed; trying again", "err", err)
			}
			if errors.Is(err, ErrBase) {
				life = "" // everything anew
			}
			pause, failing = max(minRetry, min(2*pause, maxRetry)), true
		}
		if !sleep(ctx, pause/2+rand.N(pause/2+1)) {
			break
		}
	}
	return ctx.Err()
}

// poll asks once, and puts what it got on the board. It gives the life of it.
func (f *Following) poll(ctx context.Context, life string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	zone := f.Board.Zone()
	u := f.Master.JoinPath(PathNames)
	u.RawQuery = url.Values{"index": {strconv.FormatInt(zone.Index(), 10)}, "life": {life}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("master: %w", problem.Read(resp))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxUpdate+1))
	if err != nil {
		return "", fmt.Errorf("names: %w", err)
	}
	if len(body) > MaxUpdate {
		return "", problem.New(problem.TooLarge, "names: over the limit of %d bytes", MaxUpdate)
	}
	var update Update
	if err := json.Unmarshal(body, &update); err != nil {
		return "", fmt.Errorf("names: %w", err)
	}
	if len(update.Life) > maxLife {
		return "", fmt.Errorf("names: a life of %d bytes, over the limit of %d", len(update.Life), maxLife)
	}
	if update.Base != 0 && update.Life != life {
		return "", fmt.Errorf("names: %w: that of another life", ErrBase)
	}
	if update.Base != 0 && update.Base == update.Index && update.Base == zone.Index() {
		return update.Life, nil // nothing changed
	}
	next, err := zone.Apply(update)
	if err != nil {
		return "", err
	}
	f.Board.Set(next)
	return update.Life, nil
}

// sleep pauses; it reports false when ctx is done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
