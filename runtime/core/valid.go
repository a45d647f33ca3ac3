package core

import "unicode/utf8"

const (
	maxAgentID = 63
	maxTaskID  = 200
	maxName    = 63
	maxUUID    = 64
	maxLife    = 255 // also of a boot id
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

// isID reports whether s can be the id of a framework or a run: 1 to
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
