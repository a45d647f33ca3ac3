package check

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"cel.dev/cel-go/cel"
)

const (
	// maxExpect bounds an expectation's text, in bytes.
	maxExpect = 4096
	// maxCost bounds what one evaluation may compute, in CEL's units.
	maxCost = 1_000_000
)

// expectation is a compiled expression.
type expectation struct {
	text    string
	program cel.Program
}

func compile(text string) (*expectation, error) {
	if len(text) > maxExpect {
		return nil, fmt.Errorf("the expectation has %d bytes, over the limit of %d", len(text), maxExpect)
	}
	env, err := cel.NewEnv(
		cel.Variable("status", cel.IntType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("body", cel.DynType),
		cel.CrossTypeNumericComparisons(true), // JSON's numbers are all doubles
	)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("the expectation %q: %w", text, issues.Err())
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("the expectation %q gives %s, not true or false", text, t)
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, fmt.Errorf("the expectation %q: %w", text, err)
	}
	return &expectation{text: text, program: program}, nil
}

// met evaluates the expression over a reply.
func (e *expectation) met(ctx context.Context, resp *http.Response, body []byte) error {
	headers := make(map[string]string, len(resp.Header))
	for k, v := range resp.Header {
		headers[k] = strings.Join(v, ", ")
	}
	got, _, err := e.program.ContextEval(ctx, map[string]any{
		"status": resp.StatusCode, "headers": headers, "body": decode(resp.Header.Get("Content-Type"), body),
	})
	if err != nil {
		return fmt.Errorf("status %d, and the expectation %q cannot be decided: %w", resp.StatusCode, e.text, err)
	}
	if ok, isBool := got.Value().(bool); !isBool || !ok {
		return fmt.Errorf("status %d, and the expectation %q is %v", resp.StatusCode, e.text, got.Value())
	}
	return nil
}

// decode gives JSON its structure; services often serve it under a wrong type,
// so an object or array is tried whatever the type says.
func decode(contentType string, body []byte) any {
	kind, _, _ := mime.ParseMediaType(contentType) // an unreadable type is no JSON type
	text := strings.TrimSpace(string(body))
	if kind == "application/json" || strings.HasSuffix(kind, "+json") || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		var v any
		if json.Unmarshal(body, &v) == nil {
			return v
		}
	}
	return string(body)
}
