package core

import (
	"unicode/utf8"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	maxAgentID = 63
	maxTaskID  = 200
	maxName    = 63
	maxUUID    = 64
	// maxAmount bounds each scalar of one agent or task, so that the sums over a
	// cluster stay inside an int64: 1 PiB.
	maxAmount = 1 << 50
)

// isLabel reports whether s is 1 to limit bytes of a-z, 0-9 and -.
func isLabel(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// isTaskID reports whether s is 1 to maxTaskID bytes of a-z, 0-9, - and .
func isTaskID(s string) bool {
	if s == "" || len(s) > maxTaskID || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// isID reports whether s can be the id of a framework, a run or a role: 1 to
// maxTaskID bytes, no control characters.
func isID(s string) bool {
	if s == "" || len(s) > maxTaskID || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return false
		}
	}
	return true
}

// isRole checks a role's grammar (Mesos roles.md): a path without empty parts,
// ".", ".." or "*" as a part, a leading "-", or white space.
func isRole(r cluster.Role) bool {
	if r == cluster.DefaultRole {
		return true
	}
	if !isID(string(r)) || r[0] == '-' {
		return false
	}
	start := 0
	for i := 0; i <= len(r); i++ {
		if i < len(r) && r[i] != '/' {
			if r[i] == ' ' {
				return false
			}
			continue
		}
		switch r[start:i] {
		case "", ".", "..", "*":
			return false
		}
		start = i + 1
	}
	return true
}

// canonical reports whether ports are sorted, disjoint, not touching and not zero.
func canonical(p cluster.Ports) bool {
	for i, r := range p {
		if r.Lo == 0 || r.Lo > r.Hi || i > 0 && int(r.Lo) <= int(p[i-1].Hi)+1 {
			return false
		}
	}
	return true
}

// bounded cuts text to limit bytes at the start of a character.
func bounded(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
