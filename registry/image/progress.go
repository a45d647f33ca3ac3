package image

import (
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Phase is what the builder is doing with a layer.
type Phase string

// The phases of a layer, in order. A layer that is in the cache has only Cached.
const (
	PhaseDownload Phase = "download" // fetching artifacts; Bytes as far as the client shows them
	PhaseUnpack   Phase = "unpack"   // reading archives
	PhaseRun      Phase = "run"      // linking or compiling
	PhasePack     Phase = "pack"     // writing and compressing the layer; Bytes of Total
	PhaseDone     Phase = "done"     // finished; Bytes is the compressed size
	PhaseCached   Phase = "cached"   // taken from the cache; Bytes is the compressed size
)

// Event tells how far a build is.
type Event struct {
	Layer  int    // the layer, counted from 1
	Layers int    // number of layers of the image
	Name   string // what is worked on, such as "pypi pyspark 4.3.0"
	Phase  Phase
	Bytes  int64 // bytes so far
	Total  int64 // bytes in all; 0 if not known
}

// progress hands events to the caller, one at a time.
type progress struct {
	mu    sync.Mutex
	tell  func(Event)
	event Event
}

func (p *progress) set(name string, phase Phase, bytes, total int64) {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event.Name, p.event.Phase, p.event.Bytes, p.event.Total = name, phase, bytes, total
	p.tell(p.event)
}

func (p *progress) layer(i, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event.Layer, p.event.Layers = i, n
}

// watchEvery is how often the size of a download is looked at.
const watchEvery = 500 * time.Millisecond

// watch tells the size of what a client has written into a folder so far, until
// the function it returns is called. The clients have no progress a program
// could read, but all of them write where they are told to.
func (p *progress) watch(name, dir string) (stop func()) {
	p.set(name, PhaseDownload, 0, 0)
	if p.tell == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				p.set(name, PhaseDownload, folderSize(dir), 0)
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		p.set(name, PhaseDownload, folderSize(dir), 0)
	}
}

// folderSize adds up the archives below dir, each name once, as clients copy
// them about and unpack them. Files come and go under it: what cannot be read
// counts nothing.
func folderSize(dir string) int64 {
	sizes := map[string]int64{}
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !slices.Contains(archiveNames, filepath.Ext(d.Name())) {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sizes[d.Name()] = max(sizes[d.Name()], info.Size())
		}
		return nil
	})
	var n int64
	for _, size := range sizes {
		n += size
	}
	return n
}

// archiveNames are the endings of what the clients fetch.
var archiveNames = []string{".deb", ".gz", ".zip", ".whl"}
