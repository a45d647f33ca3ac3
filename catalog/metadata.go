package catalog

import "github.com/universe-dcos/universe/resolver/constraint"

// Metadata is the content of package.yaml: what a package says of itself. Its
// JSON keys are those of the file.
type Metadata struct {
	Name        string              `json:"name"`                 // see ValidName
	Version     constraint.Version  `json:"version"`              // strict semantic version; "+" is the package's own revision
	AppVersion  string              `json:"appVersion,omitempty"` // of the software inside, as its authors write it
	Summary     string              `json:"summary"`              // one line, at most MaxSummary characters
	Description string              `json:"description,omitempty"`
	Keywords    []string            `json:"keywords,omitempty"`
	Categories  []string            `json:"categories,omitempty"`
	Maintainers []Maintainer        `json:"maintainers,omitempty"`
	Licenses    []string            `json:"licenses,omitempty"` // SPDX identifiers
	Home        string              `json:"home,omitempty"`     // http or https URL
	Icon        string              `json:"icon,omitempty"`     // a file of the package, .png or .svg
	Requires    []Requirement       `json:"requires,omitempty"`
	Provides    []Provision         `json:"provides,omitempty"`
	Conflicts   []Conflict          `json:"conflicts,omitempty"`
	Features    map[string]*Feature `json:"features,omitempty"`
	// UpgradesFrom is which releases a running service can come from; absent: any
	// that is older.
	UpgradesFrom constraint.Constraint `json:"upgradesFrom,omitzero"`
	// DowngradesTo is which older releases a service of this one can go back to;
	// absent: any if it keeps no volumes, none if it does.
	DowngradesTo constraint.Constraint `json:"downgradesTo,omitzero"`
	Notes        string                `json:"notes,omitempty"` // shown after an installation; may hold ${…}
}

// Maintainer is somebody who answers for a package.
type Maintainer struct {
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
}

// Requirement says that another package is needed.
type Requirement struct {
	Name     string                `json:"name"`
	Version  constraint.Constraint `json:"version,omitzero"` // absent: any release
	Alias    string                `json:"alias,omitempty"`  // the name of the binding; empty: Name
	Optional bool                  `json:"optional,omitempty"`
	Feature  string                `json:"feature,omitempty"` // a feature of the other package that must be on
}

// As is the name of the binding.
func (r Requirement) As() string {
	if r.Alias != "" {
		return r.Alias
	}
	return r.Name
}

// Provision says that a package stands in for a virtual one.
type Provision struct {
	Name    string             `json:"name"`
	Version constraint.Version `json:"version,omitzero"` // absent: the version of the package itself
}

// Conflict says what a package cannot be installed together with.
type Conflict struct {
	Name    string                `json:"name"`
	Version constraint.Constraint `json:"version,omitzero"` // absent: any release
}

// Feature is an optional part of a package with requirements of its own.
type Feature struct {
	Summary  string        `json:"summary,omitempty"`
	Requires []Requirement `json:"requires,omitempty"`
}

// Limits of package.yaml.
const (
	MaxNameBytes   = 63       // of a package's or a feature's name
	MaxSummary     = 120      // characters
	MaxDescription = 4_000    // characters
	MaxNotes       = 4_000    // characters
	MaxText        = 200      // characters of any other single line: an app version, a maintainer's name
	MaxKeywords    = 32       // keywords, and as many categories, licences and maintainers
	MaxRelations   = 256      // requirements, and as many provisions and conflicts
	MaxFeatures    = 64       // features
	MaxConfigBytes = 64 << 10 // the config blob, as registry/artifact has it
	MaxImages      = 64       // images of one package
)

// ValidName reports whether s is a name: a lower-case letter, then lower-case
// letters, digits and "-", at most max bytes.
func ValidName(s string, max int) bool {
	if s == "" || len(s) > max || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
