package resolver

import "github.com/universe-dcos/universe/resolver/constraint"

// Request says what is wanted.
type Request struct {
	// Requirements is what the user asks for. Order does not matter.
	Requirements []Dependency
	// Installed maps each package that runs to its version. These packages
	// stay. The solver keeps the version if it can, else it moves to another
	// release. A version the source does not know is one more choice, with no
	// requirements of its own.
	Installed map[string]constraint.Version
	// Pins maps a package to the versions an administrator allows. A pin does
	// not choose the package; if it is chosen, its version must pass.
	Pins map[string]constraint.Constraint
	// Limits bounds the work. The zero value means [DefaultLimits].
	Limits Limits
}

// Limits bounds the work of one solve. A field that is zero takes its value
// from [DefaultLimits]. Time is bounded by the caller's context.
type Limits struct {
	// Requirements is the most requirements, installed packages and pins of a
	// request together.
	Requirements int
	// Decisions is the most versions picked, those taken back included.
	Decisions int
	// Facts is the most facts, given and learned.
	Facts int
	// Steps is the most facts looked at during propagation.
	Steps int
	// Packages is the most packages looked at, features counted as packages.
	Packages int
	// Versions is the most releases of one package.
	Versions int
	// Dependencies is the most requirements and conflicts of one release, those
	// of its features included.
	Dependencies int
	// Memory is the most bytes held by facts and sets, roughly.
	Memory int
	// NameLen is the longest name in bytes.
	NameLen int
}

// DefaultLimits is far above any real data set and below what a machine can
// bear.
var DefaultLimits = Limits{
	Requirements: 20_000,
	Decisions:    100_000,
	Facts:        1_000_000,
	Steps:        200_000_000,
	Packages:     20_000,
	Versions:     5_000,
	Dependencies: 256,
	Memory:       512 << 20,
	NameLen:      128,
}
