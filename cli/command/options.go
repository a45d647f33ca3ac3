package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/universe-dcos/universe/internal/problem"
)

const (
	// maxOptionsFile bounds an options file, in bytes.
	maxOptionsFile = 1 << 20
	// maxOptionDepth bounds how deep --set reaches.
	maxOptionDepth = 32
)

// readOptions puts a package's options together: those of a file (JSON or YAML;
// "-" is the standard input), then those of --set, in order. It gives JSON, or
// nothing for no options.
func (a *app) readOptions(file string, sets []string) ([]byte, error) {
	tree := map[string]any{}
	if file != "" {
		var err error
		if tree, err = a.optionsFile(file); err != nil {
			return nil, err
		}
	}
	for _, s := range sets {
		if err := setOption(tree, s); err != nil {
			return nil, err
		}
	}
	if len(tree) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		return nil, usage("options cannot be written as JSON: %w", err)
	}
	return raw, nil
}

func (a *app) optionsFile(file string) (map[string]any, error) {
	in := a.In
	if file != "-" {
		f, err := os.Open(file)
		if os.IsNotExist(err) {
			return nil, problem.New(problem.NotFound, "options file %q does not exist", file)
		}
		if err != nil {
			return nil, fmt.Errorf("read options: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxOptionsFile+1))
	if err != nil {
		return nil, fmt.Errorf("read options file %s: %w", file, err)
	}
	if len(raw) > maxOptionsFile {
		return nil, problem.New(problem.TooLarge, "options file %s is larger than %d bytes", file, maxOptionsFile)
	}
	tree := map[string]any{}
	if len(bytes.TrimSpace(raw)) == 0 {
		return tree, nil
	}
	// JSON is YAML too; read as JSON, large numbers keep their digits.
	if bytes.TrimSpace(raw)[0] == '{' {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		err = dec.Decode(&tree)
	} else {
		err = yaml.Unmarshal(raw, &tree)
	}
	if err != nil {
		return nil, usage("options file %s: %w", file, err).WithHint("write an object of options, as JSON or YAML")
	}
	return tree, nil
}

// setOption puts path=value into tree. A value that is JSON is taken as such,
// any other as text.
func setOption(tree map[string]any, set string) error {
	path, value, ok := strings.Cut(set, "=")
	keys := splitPath(path)
	if !ok || len(keys) == 0 {
		return usage("--set %q is not of the form name=value", set).WithHint("for example: --set worker.count=3")
	}
	if len(keys) > maxOptionDepth {
		return problem.New(problem.TooLarge, "--set %q reaches deeper than %d names", set, maxOptionDepth)
	}
	at := tree
	for i, k := range keys[:len(keys)-1] {
		switch next := at[k].(type) {
		case map[string]any:
			at = next
		case nil:
			n := map[string]any{}
			at[k] = n
			at = n
		default:
			return usage("--set %q: option %s has a value and cannot hold others", set, strings.Join(keys[:i+1], "."))
		}
	}
	at[keys[len(keys)-1]] = optionValue(value)
	return nil
}

// optionValue reads the value of --set: 3, true, null, "text" and [1, 2] are
// JSON; what is no JSON is text.
func optionValue(s string) any {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil || dec.More() {
		return s
	}
	if rest, _ := io.ReadAll(dec.Buffered()); len(bytes.TrimSpace(rest)) > 0 {
		return s
	}
	return v
}

// splitPath splits a path at its dots; "\." is a dot in a name. It is empty for
// a path with an empty name.
func splitPath(path string) []string {
	var keys []string
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path) && path[i+1] == '.':
			b.WriteByte('.')
			i++
		case path[i] == '.':
			keys = append(keys, b.String())
			b.Reset()
		default:
			b.WriteByte(path[i])
		}
	}
	keys = append(keys, b.String())
	for _, k := range keys {
		if k == "" {
			return nil
		}
	}
	return keys
}
