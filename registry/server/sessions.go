package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// sessions are the open uploads. An id is 128 random bits and a check of the
// repository's name, so that an upload belongs to its repository without a
// record of it: an upload that waits costs no transaction, and after a restart
// the files alone say what there is.
type sessions struct {
	blobs BlobStore
	max   int
	idle  time.Duration

	mu    sync.Mutex
	open  map[string]*session
	swept time.Time // the last removal of idle ones
}

// session is one upload. mu is held by the one request that writes.
type session struct {
	id string

	mu     sync.Mutex
	gone   bool  // committed or dropped
	offset int64 // bytes held
	alg    digest.Algorithm
	hash   hash.Hash // of those bytes; nil: must be read again

	touched time.Time // guarded by sessions.mu
}

const (
	// sweepEvery is how often idle uploads are looked for, at most.
	sweepEvery = 10 * time.Minute
	// emptyIdle is how long an upload that holds no bytes is kept: clients
	// open them and take another way, as after a mount.
	emptyIdle = 10 * time.Minute
)

// openSessions takes up the uploads that a former process left. What is not an
// upload of ours is left alone.
func openSessions(blobs BlobStore, l Limits) (*sessions, error) {
	ss := &sessions{blobs: blobs, max: l.Sessions, idle: l.SessionIdle, open: map[string]*session{}, swept: now()}
	left, err := blobs.Uploads(context.Background())
	if err != nil {
		return nil, fmt.Errorf("take up uploads: %w", err)
	}
	for _, u := range left {
		if sessionRE.MatchString(u.ID) {
			ss.open[u.ID] = &session{id: u.ID, offset: u.Size, alg: digest.SHA256, touched: u.Wrote}
		}
	}
	return ss, ss.sweep(context.Background(), now())
}

func repositoryCheck(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:8])
}

func newSessionID(repository string) string { return randomHex(16) + "-" + repositoryCheck(repository) }

// start opens an upload of a repository.
func (ss *sessions) start(ctx context.Context, repository string, alg digest.Algorithm) (*session, error) {
	at := now()
	ss.mu.Lock()
	due := at.Sub(ss.swept) > sweepEvery || len(ss.open) >= ss.max
	ss.mu.Unlock()
	if due {
		if err := ss.sweep(ctx, at); err != nil {
			return nil, err
		}
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(ss.open) >= ss.max {
		return nil, fail(http.StatusTooManyRequests, codeTooManyRequests, "registry has %d open uploads, its limit; try again", ss.max)
	}
	u := &session{id: newSessionID(repository), alg: alg, hash: newHash(alg), touched: at}
	ss.open[u.id] = u
	return u, nil
}

// take finds an upload and locks it for the caller, who calls release. Errors:
// BLOB_UPLOAD_UNKNOWN, and 409 when another request has it.
func (ss *sessions) take(repository, id string) (*session, error) {
	if !sessionRE.MatchString(id) || id[33:] != repositoryCheck(repository) {
		return nil, unknownSession()
	}
	ss.mu.Lock()
	u := ss.open[id]
	if u != nil {
		u.touched = now()
	}
	ss.mu.Unlock()
	if u == nil {
		return nil, unknownSession()
	}
	if !u.mu.TryLock() {
		return nil, fail(http.StatusConflict, codeBlobUploadInvalid, "another request is writing to this upload")
	}
	if u.gone {
		u.mu.Unlock()
		return nil, unknownSession()
	}
	return u, nil
}

func (ss *sessions) release(u *session) { u.mu.Unlock() }

// end forgets an upload that the caller holds.
func (ss *sessions) end(u *session) {
	u.gone = true
	ss.mu.Lock()
	delete(ss.open, u.id)
	ss.mu.Unlock()
}

// sweep drops the uploads that were idle too long.
func (ss *sessions) sweep(ctx context.Context, at time.Time) error {
	ss.mu.Lock()
	ss.swept = at
	var idle []*session
	for _, u := range ss.open {
		quiet := at.Sub(u.touched)
		if quiet <= min(ss.idle, emptyIdle) || !u.mu.TryLock() {
			continue
		}
		if quiet > ss.idle || u.offset == 0 {
			idle = append(idle, u)
		} else {
			u.mu.Unlock()
		}
	}
	ss.mu.Unlock()
	var errs []error
	for _, u := range idle {
		ss.end(u)
		ss.release(u)
		errs = append(errs, ss.blobs.Abort(ctx, u.id))
	}
	return errors.Join(errs...)
}

func unknownSession() error {
	return fail(http.StatusNotFound, codeBlobUploadUnknown, "no such upload; it ended, expired or never was: start again")
}

func newHash(alg digest.Algorithm) hash.Hash { return alg.Hash() }

// write adds what body gives, at most limit bytes in all. The caller holds u.
func (u *session) write(ctx context.Context, blobs BlobStore, body io.Reader, limit int64) (int64, error) {
	if err := u.rehash(ctx, blobs, u.alg); err != nil {
		return 0, err
	}
	bounded := &boundedReader{r: body, left: limit - u.offset, limit: limit}
	n, err := blobs.Append(ctx, u.id, u.offset, io.TeeReader(bounded, u.hash))
	u.offset += n
	if err != nil {
		u.hash = nil // it may have seen more than the store kept
	}
	return n, err
}

// digest is that of the bytes held, by algorithm alg.
func (u *session) digest(ctx context.Context, blobs BlobStore, alg digest.Algorithm) (digest.Digest, error) {
	if err := u.rehash(ctx, blobs, alg); err != nil {
		return "", err
	}
	return digest.NewDigest(alg, u.hash), nil
}

// rehash makes sure that u.hash is of alg and of all bytes held; it reads them
// again only after a failure, a restart or a change of the algorithm.
func (u *session) rehash(ctx context.Context, blobs BlobStore, alg digest.Algorithm) error {
	if u.hash != nil && u.alg == alg {
		return nil
	}
	h := newHash(alg)
	if u.offset > 0 {
		rc, err := blobs.OpenUpload(ctx, u.id)
		if err != nil {
			return fmt.Errorf("read upload again: %w", err)
		}
		n, err := io.Copy(h, io.LimitReader(rc, u.offset))
		if err = errors.Join(err, rc.Close()); err != nil {
			return fmt.Errorf("read upload again: %w", err)
		}
		if n != u.offset {
			return fmt.Errorf("read upload again: it holds %d of %d bytes", n, u.offset)
		}
	}
	u.alg, u.hash = alg, h
	return nil
}

// boundedReader fails past its limit, unlike io.LimitReader.
type boundedReader struct {
	r     io.Reader
	left  int64
	limit int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if int64(n) > b.left {
		return 0, &http.MaxBytesError{Limit: b.limit}
	}
	b.left -= int64(n)
	return n, err
}
