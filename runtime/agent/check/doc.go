// Package check asks a running task whether it is ready or healthy: by an HTTP
// request with an expectation in CEL, by a TCP connection, or by a command
// inside the container.
//
// An expectation is an expression over status (int), headers (map of the
// canonical header name to its values joined by ", ") and body: the decoded
// JSON where the reply is JSON, else its text.
//
//	body.status == "ALIVE" && size(body.workers) >= 2
package check
