package problem

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// MediaType is the content type of a problem document (RFC 9457 §3).
const MediaType = "application/problem+json"

// MaxBody bounds what Read takes from an error reply, in bytes.
const MaxBody = 1 << 20

// document is the wire form (RFC 9457 §3.1) with our extension members.
type document struct {
	Type    string          `json:"type"`
	Title   string          `json:"title"`
	Status  int             `json:"status"`
	Detail  string          `json:"detail"`
	Code    Class           `json:"code"`
	Hint    string          `json:"hint,omitempty"`
	Details []Detail        `json:"details,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Write answers with err as a problem document.
func Write(w http.ResponseWriter, err error) {
	p := Of(err)
	status := p.Class.Status()
	doc := document{Type: "/problems/" + string(p.Class), Title: http.StatusText(status), Status: status,
		Detail: p.Detail, Code: p.Class, Hint: p.Hint, Details: p.Details}
	if p.Data != nil {
		// Evidence that cannot be encoded must not hide the error itself.
		if b, err := json.Marshal(p.Data); err == nil {
			doc.Data = b
		}
	}
	w.Header().Set("Content-Type", MediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc) // the status line is out: nothing is left to tell a client that went away
}

// Read makes an Error of a reply with status >= 400 and closes nothing. Data is
// a json.RawMessage. A reply that is no problem document keeps its first line.
func Read(resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	var doc document
	if strings.HasPrefix(resp.Header.Get("Content-Type"), MediaType) && json.Unmarshal(body, &doc) == nil && doc.Detail != "" {
		e := &Error{Class: doc.Code, Detail: doc.Detail, Hint: doc.Hint, Details: doc.Details}
		if doc.Data != nil {
			e.Data = doc.Data
		}
		return e
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if line == "" {
		line = http.StatusText(resp.StatusCode)
	}
	where := ""
	if resp.Request != nil && resp.Request.URL != nil {
		where = resp.Request.Method + " " + resp.Request.URL.Redacted() + ": "
	}
	return &Error{Class: ClassOfStatus(resp.StatusCode), Detail: fmt.Sprintf("%s%d %s", where, resp.StatusCode, line)}
}
