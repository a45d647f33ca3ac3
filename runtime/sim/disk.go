package sim

import (
	"context"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// DefaultSync is the longest time a batch takes to reach the disk where Faults
// names none.
const DefaultSync cluster.Millis = 3

// disk is the master's log on a disk that takes its time: a batch is written,
// and some time later it is safe. Who dies in between finds the whole batch on
// the disk, or nothing of it; nobody was told either way.
type disk struct {
	*mem.Log
	unsynced [][]byte // the batch that is being written
}

// write hands a batch to the disk.
func (d *disk) write(batch [][]byte) { d.unsynced = batch }

// sync makes the batch safe.
func (d *disk) sync() error {
	batch := d.unsynced
	d.unsynced = nil
	_, err := d.Append(context.Background(), batch)
	return err
}

// crash is what the end of the machine does to the batch that is being written:
// it reached the disk just in time, or it vanishes.
func (d *disk) crash(survives bool) error {
	if d.unsynced != nil && survives {
		return d.sync()
	}
	d.unsynced = nil
	return nil
}
