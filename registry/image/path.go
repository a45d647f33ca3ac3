package image

import (
	"path"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// cleanPath turns a path of a recipe or an archive ("/a/b", "./a/b", "a/b/")
// into the form used in layers: relative, slash-separated, no dots. The root is
// the empty string. Names that a reader of layers would take for something else
// are refused: parents, control characters and whiteouts (image-spec, layer.md).
func cleanPath(p string) (string, error) {
	if len(p) > MaxPathBytes {
		return "", problem.New(problem.Invalid, "path %.40q… is longer than %d bytes", p, MaxPathBytes)
	}
	for _, r := range p {
		if r < 0x20 || r == 0x7f {
			return "", problem.New(problem.Invalid, "path %q holds a control character", p)
		}
	}
	parts := strings.Split(p, "/")
	for _, part := range parts {
		if part == ".." {
			return "", problem.New(problem.Invalid, "path %q leaves its folder", p)
		}
		if strings.HasPrefix(part, ".wh.") {
			return "", problem.New(problem.Invalid, "path %q is a whiteout", p)
		}
	}
	return strings.TrimPrefix(path.Clean("/"+p), "/"), nil
}

// matchAny reports whether a clean path, or a folder it lies in, matches one of
// the patterns.
func matchAny(patterns []string, p string) bool {
	parts := strings.Split(p, "/")
	for _, pattern := range patterns {
		segments := strings.Split(strings.Trim(pattern, "/"), "/")
		for n := 1; n <= len(parts); n++ {
			if match(segments, parts[:n]) {
				return true
			}
		}
	}
	return false
}

// match is path.Match segment by segment, where the segment ** stands for any
// number of segments.
func match(pattern, parts []string) bool {
	for i, segment := range pattern {
		if segment == "**" {
			for j := i; j <= len(parts); j++ {
				if match(pattern[i+1:], parts[j:]) {
					return true
				}
			}
			return false
		}
		if i >= len(parts) {
			return false
		}
		// The pattern's form was checked when the recipe was read.
		if ok, _ := path.Match(segment, parts[i]); !ok {
			return false
		}
	}
	return len(pattern) == len(parts)
}

// badPattern reports whether a pattern has a form that match cannot read, or
// more than two ** (each doubles the work).
func badPattern(pattern string) bool {
	for _, seg := range strings.Split(pattern, "/") {
		if _, err := path.Match(seg, "x"); err != nil {
			return true
		}
	}
	return pattern == "" || strings.Count(pattern, "**") > 2
}

// under gives the part of a clean path below a folder (clean, "" for the root).
func under(folder, p string) (string, bool) {
	if folder == "" {
		return p, true
	}
	return strings.CutPrefix(p, folder+"/")
}
