package execwire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Protocol is the name of the protocol in the Upgrade header.
const Protocol = "universe-exec/1"

// MaxPayload bounds the payload of a frame, in bytes.
const MaxPayload = 32 << 10

// headerSize is that of a frame, in bytes.
const headerSize = 5

// Kind is what a frame carries.
type Kind byte

// The kinds. The first three go to the process, the others come from it.
const (
	Stdin  Kind = 0 // bytes
	EOF    Kind = 1 // no more Stdin; empty
	Resize Kind = 2 // of the terminal: columns and rows, 2 bytes each
	Stdout Kind = 16
	Stderr Kind = 17 // never with a terminal
	Exit   Kind = 18 // the last frame: a Result as JSON
)

// Result is how a session ended.
type Result struct {
	Code  int    `json:"code"`            // exit code, when Error is empty
	Error string `json:"error,omitempty"` // why there is none
}

// ErrFrame is wrapped when the other side sends what is no frame.
var ErrFrame = errors.New("malformed exec frame")

// Conn sends and receives frames. Sending is safe for concurrent use; receiving
// is for one goroutine.
type Conn struct {
	mu  sync.Mutex
	w   io.Writer
	out [headerSize + MaxPayload]byte

	r  io.Reader
	in [headerSize + MaxPayload]byte
}

// New makes a Conn over both directions of a connection.
func New(r io.Reader, w io.Writer) *Conn { return &Conn{r: r, w: w} }

// Send sends a payload, in several frames when it is long and of a stream.
func (c *Conn) Send(k Kind, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		n := copy(c.out[headerSize:], p)
		c.out[0] = byte(k)
		binary.BigEndian.PutUint32(c.out[1:], uint32(n))
		if _, err := c.w.Write(c.out[:headerSize+n]); err != nil {
			return err
		}
		if p = p[n:]; len(p) == 0 {
			return nil
		}
	}
}

// SendSize sends a Resize.
func (c *Conn) SendSize(columns, rows uint16) error {
	var b [4]byte
	binary.BigEndian.PutUint16(b[:], columns)
	binary.BigEndian.PutUint16(b[2:], rows)
	return c.Send(Resize, b[:])
}

// SendExit sends the last frame.
func (c *Conn) SendExit(r Result) error {
	const most = 4 << 10 // of an error's text, so that it fits one frame
	if len(r.Error) > most {
		r.Error = r.Error[:most]
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return c.Send(Exit, b)
}

// Receive gives the next frame. Its payload is valid until the next call.
func (c *Conn) Receive() (Kind, []byte, error) {
	if _, err := io.ReadFull(c.r, c.in[:headerSize]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(c.in[1:])
	if n > MaxPayload {
		return 0, nil, fmt.Errorf("a payload of %d bytes, over the limit of %d: %w", n, MaxPayload, ErrFrame)
	}
	p := c.in[headerSize : headerSize+int(n)]
	if _, err := io.ReadFull(c.r, p); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return Kind(c.in[0]), p, nil
}

// Size reads the payload of a Resize.
func Size(p []byte) (columns, rows uint16, err error) {
	if len(p) != 4 {
		return 0, 0, fmt.Errorf("a size of %d bytes: %w", len(p), ErrFrame)
	}
	return binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:]), nil
}

// ReadResult reads the payload of an Exit.
func ReadResult(p []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(p, &r); err != nil {
		return r, fmt.Errorf("an exit: %w: %w", err, ErrFrame)
	}
	return r, nil
}

// Writer sends what is written to it as frames of a kind.
func (c *Conn) Writer(k Kind) io.Writer { return writer{c, k} }

type writer struct {
	c *Conn
	k Kind
}

func (w writer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := w.c.Send(w.k, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
