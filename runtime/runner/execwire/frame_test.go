package execwire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestConn_roundTrip(t *testing.T) {
	var b bytes.Buffer
	c := New(&b, &b)
	long := strings.Repeat("x", MaxPayload+5)
	if _, err := io.WriteString(c.Writer(Stdout), long); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Send(EOF, nil), c.SendSize(132, 43), c.SendExit(Result{Code: 3, Error: strings.Repeat("e", 9000)})); err != nil {
		t.Fatal(err)
	}
	var got string
	for len(got) < len(long) {
		k, p, err := c.Receive()
		if err != nil || k != Stdout {
			t.Fatalf("got %d, %v", k, err)
		}
		got += string(p)
	}
	if got != long {
		t.Error("a long payload: not as it was sent")
	}
	if k, p, err := c.Receive(); k != EOF || len(p) != 0 || err != nil {
		t.Errorf("EOF: got %d %q %v", k, p, err)
	}
	k, p, err := c.Receive()
	if columns, rows, serr := Size(p); k != Resize || err != nil || serr != nil || columns != 132 || rows != 43 {
		t.Errorf("Resize: got %d %d x %d, %v, %v", k, columns, rows, err, serr)
	}
	k, p, err = c.Receive()
	if r, rerr := ReadResult(p); k != Exit || err != nil || rerr != nil || r.Code != 3 || len(r.Error) != 4<<10 {
		t.Errorf("Exit: got %d %+v, %v, %v", k, r.Code, err, rerr)
	}
	if _, _, err := c.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: got %v, want EOF", err)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 'x'})
	f.Add([]byte{18, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{2, 0, 0, 0, 4, 0, 80})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New(bytes.NewReader(b), io.Discard)
		for {
			k, p, err := c.Receive()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrFrame) {
					t.Errorf("got %v", err)
				}
				return
			}
			if k == Resize {
				_, _, _ = Size(p)
			}
			if k == Exit {
				_, _ = ReadResult(p)
			}
		}
	})
}
