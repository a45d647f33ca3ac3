package agent

import (
	"context"
	"path/filepath"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/volume"
	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// minSweepRetry and maxSweepRetry bound the pause after a failed sweep.
	minSweepRetry = time.Second
	maxSweepRetry = time.Minute
)

// openVolumes opens the volumes of earlier lives.
func (a *Agent) openVolumes() error {
	store, err := volume.Open(filepath.Join(a.cfg.StateDir, "volumes"))
	if err != nil {
		return err
	}
	a.store = store
	all, err := store.All()
	if err != nil {
		a.log.Error("volumes are damaged", "err", err)
	}
	for _, v := range all {
		if v.Doomed {
			a.doomed[v.Name] = true
		}
	}
	return nil
}

// volumeNames is what Hello says of volumes.
func (a *Agent) volumeNames() []cluster.VolumeName {
	all, err := a.store.All()
	if err != nil {
		a.log.Error("volumes are damaged", "err", err)
	}
	var out []cluster.VolumeName
	for _, v := range all {
		out = append(out, v.Name)
	}
	return out
}

// destroy is the master's wish that a volume goes. While a task holds it, it
// stays and is marked: it goes when the task has ended.
func (a *Agent) destroy(name cluster.VolumeName) error {
	if err := volume.Check(name); err != nil {
		a.log.Error("the destruction of a volume was refused", "err", err)
		return nil
	}
	if err := a.store.Doom(name); err != nil {
		return err
	}
	a.vmu.Lock()
	a.doomed[name] = true
	a.vmu.Unlock()
	a.destroyFree()
	return nil
}

// destroyFree destroys the volumes that are to go and that nobody uses.
func (a *Agent) destroyFree() {
	a.vmu.Lock()
	defer a.vmu.Unlock()
	for name := range a.doomed {
		if by := a.user(name, cluster.TaskSpec{}); by != "" {
			a.log.Debug("a volume is destroyed when its task has ended", "volume", name.ID, "role", string(name.Role), "task", string(by))
			continue
		}
		if err := a.store.Destroy(name); err != nil {
			a.log.Error("a volume could not be destroyed", "volume", name.ID, "role", string(name.Role), "err", err)
			continue
		}
		delete(a.doomed, name)
		a.log.Info("volume destroyed", "volume", name.ID, "role", string(name.Role))
	}
}

// sweepVolumes frees the room of destroyed volumes until ctx is done.
func (a *Agent) sweepVolumes(ctx context.Context) error {
	b := backoff{least: minSweepRetry, most: maxSweepRetry}
	for {
		select {
		case <-a.store.Trash():
		case <-ctx.Done():
			return ctx.Err()
		}
		for {
			err := a.store.Sweep(ctx)
			if err == nil {
				b.reset()
				break
			}
			if ctx.Err() == nil {
				a.log.Error("a destroyed volume could not be removed; trying again", "err", err)
			}
			if !b.wait(ctx) {
				return ctx.Err()
			}
		}
	}
}
