package problem

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWriteRead_isTheSameError(t *testing.T) {
	sent := New(NotFound, "package %q is not in the catalog", "sprak").WithHint("did you mean spark?").
		WithDetails(Detail{Pointer: "/name", Message: "unknown"}).WithData(map[string]int{"n": 1})
	rec := httptest.NewRecorder()
	Write(rec, fmt.Errorf("planning: %w", sent))

	resp := rec.Result()
	if resp.StatusCode != http.StatusNotFound || resp.Header.Get("Content-Type") != MediaType {
		t.Errorf("status %d, type %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	got := Read(resp)
	if got.Class != NotFound || got.Detail != `planning: package "sprak" is not in the catalog` || got.Hint != sent.Hint {
		t.Errorf("got %+v", got)
	}
	if len(got.Details) != 1 || got.Details[0] != sent.Details[0] {
		t.Errorf("details: %v", got.Details)
	}
	if s := fmt.Sprintf("%s", got.Data); s != `{"n":1}` {
		t.Errorf("data: %s", s)
	}
}

func TestRead_takesAnyReply(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		class  Class
		detail string
	}{
		{503, "try later\nsecond line", Unavailable, "503 try later"},
		{404, "", NotFound, "404 Not Found"},
		{418, "tea", Invalid, "418 tea"},
		{502, "<html>", Internal, "502 <html>"},
	} {
		rec := httptest.NewRecorder()
		rec.WriteHeader(tc.status)
		rec.WriteString(tc.body)
		got := Read(rec.Result())
		if got.Class != tc.class || got.Detail != tc.detail {
			t.Errorf("%d %q: got %s %q, want %s %q", tc.status, tc.body, got.Class, got.Detail, tc.class, tc.detail)
		}
	}
}

func TestRead_isBounded(t *testing.T) {
	rec := httptest.NewRecorder()
	rec.WriteHeader(500)
	rec.WriteString(strings.Repeat("x", MaxBody+100))
	if got := Read(rec.Result()); len(got.Detail) > MaxBody+10 {
		t.Errorf("took %d bytes", len(got.Detail))
	}
}

func TestOf(t *testing.T) {
	if Of(nil) != nil {
		t.Error("Of(nil) is not nil")
	}
	plain := errors.New("disk on fire")
	if p := Of(plain); p.Class != Internal || !errors.Is(p, plain) {
		t.Errorf("a plain error became %+v", p)
	}
	inner := New(Exists, "tag taken")
	if p := Of(fmt.Errorf("push: %w", inner)); p.Class != Exists || p.Detail != "push: tag taken" {
		t.Errorf("got %+v", p)
	}
	if !Is(fmt.Errorf("a: %w", inner), Exists) || Is(inner, NotFound) {
		t.Error("Is does not follow the chain")
	}
	if cause := errors.New("eof"); !errors.Is(New(Invalid, "reading: %w", cause), cause) {
		t.Error("New does not wrap")
	}
}
