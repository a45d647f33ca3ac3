package registry

import (
	"regexp"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// semverRE is the grammar of semver.org 2.0.0.
var semverRE = regexp.MustCompile(`^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)` +
	`(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$`)

// TagOfVersion gives the tag of a semantic version: "+" becomes "_", which no
// version holds, so the mapping can be undone. It is an error of class
// problem.Invalid when version is not semantic or too long for a tag.
func TagOfVersion(version string) (string, error) {
	if len(version) > MaxTagBytes {
		return "", problem.New(problem.Invalid, "version %q has %d characters, more than the %d that a tag holds", clip(version), len(version), MaxTagBytes)
	}
	if !semverRE.MatchString(version) {
		return "", problem.New(problem.Invalid, "version %q is not a semantic version", version).
			WithHint("write MAJOR.MINOR.PATCH, for example 1.0.0 or 1.0.0-rc.1")
	}
	return strings.ReplaceAll(version, "+", "_"), nil
}

// VersionOfTag undoes TagOfVersion. ok is false for a tag that is no version:
// moving tags ("latest", "3.5"), referrer tags, signature tags.
func VersionOfTag(tag string) (version string, ok bool) {
	version = strings.ReplaceAll(tag, "_", "+")
	if len(tag) > MaxTagBytes || !semverRE.MatchString(version) {
		return "", false
	}
	return version, true
}
