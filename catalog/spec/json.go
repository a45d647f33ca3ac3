package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
)

// document is a JSON file with the place of each value, by JSON pointer.
type document struct {
	value  any // numbers are json.Number
	places map[string]pos
}

// parseJSON reads one JSON value strictly: no key twice, bounded in depth. It
// is nil when there is a fault.
func parseJSON(file string, src []byte, f *faults) *document {
	r := &jsonReader{file: file, src: src, dec: json.NewDecoder(bytes.NewReader(src)), places: map[string]pos{}, f: f}
	r.dec.UseNumber()
	v, err := r.value("", 0)
	if err == nil {
		if _, err = r.dec.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("text after the end of the JSON value")
		}
	}
	if err != nil {
		f.at(r.here(), "%s", jsonMessage(err))
		return nil
	}
	if r.failed {
		return nil
	}
	return &document{v, r.places}
}

func jsonMessage(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the JSON ends early"
	}
	return err.Error()
}

type jsonReader struct {
	file   string
	src    []byte
	dec    *json.Decoder
	places map[string]pos
	f      *faults
	failed bool
	count  int
}

// here is where the decoder stands, blanks and separators skipped.
func (r *jsonReader) here() pos {
	at := min(int(r.dec.InputOffset()), len(r.src))
	for at < len(r.src) && strings.IndexByte(" \t\r\n,:", r.src[at]) >= 0 {
		at++
	}
	before := r.src[:at]
	return pos{r.file, 1 + bytes.Count(before, []byte("\n")), at - bytes.LastIndexByte(before, '\n')}
}

func (r *jsonReader) value(pointer string, depth int) (any, error) {
	r.places[pointer] = r.here()
	if r.count++; r.count > MaxNodes {
		return nil, fmt.Errorf("more than %d values", MaxNodes)
	}
	if depth > MaxDepth {
		return nil, fmt.Errorf("nested more than %d deep", MaxDepth)
	}
	t, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return r.object(pointer, depth)
	case json.Delim('['):
		list := []any{}
		for r.dec.More() {
			v, err := r.value(pointer+"/"+strconv.Itoa(len(list)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := r.dec.Token()
		return list, err
	}
	if n, ok := t.(json.Number); ok && !bearable(n.String()) {
		return nil, fmt.Errorf("the number %s is too long, too large or too small", clip(n.String()))
	}
	return t, nil
}

// bearable reports whether a number can be worked with exactly: the validator
// writes numbers out, and 1e1000000000 would take all memory.
func bearable(n string) bool {
	if len(n) > MaxNumberBytes {
		return false
	}
	i := strings.IndexAny(n, "eE")
	if i < 0 {
		return true
	}
	e, err := strconv.Atoi(n[i+1:])
	return err == nil && e >= -MaxExponent && e <= MaxExponent
}

func (r *jsonReader) object(pointer string, depth int) (any, error) {
	out := map[string]any{}
	for r.dec.More() {
		at := r.here()
		k, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		key := k.(string) // the decoder lets nothing else stand here
		if _, twice := out[key]; twice {
			r.failed = true
			r.f.at(at, "key %q stands twice", clip(key))
		}
		if out[key], err = r.value(pointer+"/"+escapePointer(key), depth+1); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.Token()
	return out, err
}

// escapePointer makes a token of a JSON pointer (RFC 6901 §3).
func escapePointer(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}

// pointerOf joins tokens to a JSON pointer.
func pointerOf(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString("/" + escapePointer(t))
	}
	return b.String()
}

// compact prints a JSON value on one short line, for messages.
func compact(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return clip(strings.TrimSpace(b.String()))
}

// sortedKeys gives a map's keys in order.
func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
