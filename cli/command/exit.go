package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/universe-dcos/universe/internal/problem"
)

// The exit codes of `dcos`. An action's run ends with the code of its task.
const (
	ExitOK          = 0   // done
	ExitError       = 1   // an error of no other kind
	ExitUsage       = 2   // wrong usage or input, an answer of no, or an answer needed and none to be had
	ExitNotFound    = 3   // what was named is not there
	ExitDenied      = 4   // authentication or permission
	ExitNoSolution  = 5   // no set of versions fits
	ExitUnplaceable = 6   // accepted, and no agent can take it now
	ExitTimeout     = 7   // the time to wait is over; the work goes on
	ExitWord        = 8   // what goes on waits for a person's word
	ExitChanges     = 10  // a plan was asked with --detailed-exitcode, and it has changes
	ExitInterrupted = 130 // interrupted
)

// exitError ends the program with a code. Without err nothing more is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// quiet ends the program with a code and prints nothing.
func quiet(code int) error { return &exitError{code: code} }

// exitWith gives err a code of its own.
func exitWith(code int, err error) error { return &exitError{code: code, err: err} }

// usage is an error of the command line itself.
func usage(format string, args ...any) *problem.Error {
	return problem.New(problem.Invalid, format, args...)
}

// exitCode is the code an error ends the program with.
func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		return ExitTimeout
	}
	switch problem.Of(err).Class {
	case problem.Invalid, problem.TooLarge:
		return ExitUsage
	case problem.NotFound:
		return ExitNotFound
	case problem.Unauthorized, problem.Forbidden:
		return ExitDenied
	case problem.Unsatisfiable:
		return ExitNoSolution
	}
	return ExitError
}
