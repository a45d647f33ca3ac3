package search

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// tokens cuts a text into words: lower case, compatibility forms and accents
// removed, split at whatever is no letter and no digit.
func tokens(s string) []string {
	out := strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range out {
		if len(w) > maxTerm {
			out[i] = cut(w)
		}
	}
	return out
}

// indexTokens are the tokens of a text and, for words with separators in them
// ("open-feature"), the joined word too.
func indexTokens(s string) []string {
	var out []string
	for _, w := range strings.Fields(s) {
		t := tokens(w)
		out = append(out, t...)
		if len(t) > 1 {
			out = append(out, cut(strings.Join(t, "")))
		}
	}
	return out
}

// joined is a text's letters and digits in one word.
func joined(s string) string { return strings.Join(tokens(s), "") }

// cut shortens a word to maxTerm bytes, at a letter's end.
func cut(w string) string {
	if len(w) <= maxTerm {
		return w
	}
	w = w[:maxTerm]
	return strings.ToValidUTF8(w, "")
}

// fold maps texts that people take for equal to one: NFKD, marks dropped, lower
// case.
func fold(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
