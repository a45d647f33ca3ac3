package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/universe-dcos/universe/runtime/discovery"
)

// rememberEvery is the least time between two writes of the names: what is read
// again is only for the time until the master answers.
const rememberEvery = 30 * time.Second

// recall takes the names of an earlier life of the agent, so that they are
// answered for although the master is away.
func (n *localNames) recall(path string) {
	z, err := readZone(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		n.log.Warn("the names of an earlier life cannot be read; they come from the master", "err", err)
	default:
		n.board.Set(z)
	}
}

func readZone(path string) (*discovery.Zone, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, discovery.MaxUpdate+1))
	if err != nil {
		return nil, err
	}
	if len(data) > discovery.MaxUpdate {
		return nil, fmt.Errorf("%s is over the limit of %d bytes", path, discovery.MaxUpdate)
	}
	var u discovery.Update
	if err := json.Unmarshal(data, &u); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var empty discovery.Board
	z, err := empty.Zone().Apply(u)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return z, nil
}

// remember writes the names down when they changed, and when ctx is done.
func (n *localNames) remember(ctx context.Context, path string) error {
	written := n.board.Zone()
	write := func() {
		z := n.board.Zone()
		if z == written {
			return
		}
		if err := writeZone(path, z); err != nil {
			n.log.Warn("the names cannot be kept for the agent's next life", "err", err)
			return
		}
		written = z
	}
	defer write()
	tick := time.NewTicker(rememberEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			write()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeZone writes a zone, at once or not at all.
func writeZone(path string, z *discovery.Zone) error {
	data, err := json.Marshal(z.All())
	if err != nil {
		return err
	}
	if err := writeFile(path+".new", data); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
