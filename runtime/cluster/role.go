package cluster

import "unicode/utf8"

// MaxRole bounds a role's path, in bytes.
const MaxRole = 200

// ValidRole checks a role's grammar (Mesos roles.md): DefaultRole, or a path
// without empty parts, ".", ".." or "*" as a part, a leading "-", white space or
// control characters.
func ValidRole(r Role) bool {
	if r == DefaultRole {
		return true
	}
	if r == "" || len(r) > MaxRole || !utf8.ValidString(string(r)) || r[0] == '-' {
		return false
	}
	start := 0
	for i := 0; i <= len(r); i++ {
		if i < len(r) && r[i] != '/' {
			if r[i] <= ' ' || r[i] == 0x7f {
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

// Top is the first part of a role's path: the role that quota is counted by.
func (r Role) Top() Role {
	for i := range len(r) {
		if r[i] == '/' {
			return r[:i]
		}
	}
	return r
}
