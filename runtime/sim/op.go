package sim

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// maxOpLine bounds one operation's text, in bytes.
const maxOpLine = 4096

// Op is one thing that is done to a cluster, as it is written in scenario
// files: a verb, words, and options "key=value" or "key=(a,b)".
//
//	agents 3 cpus=8 mem=32G
//	crash master 15s
//	partition a1,a2 | rest
//
// Verbs lists what Do understands.
type Op struct {
	Verb    string
	Words   []string
	Options []Option // in the order in which they are written
}

// Option is an option of an Op.
type Option struct {
	Key    string
	Values []string
}

// ParseOp reads what String writes.
func ParseOp(line string) (Op, error) {
	if len(line) > maxOpLine {
		return Op{}, fmt.Errorf("operation of %d bytes, over the limit of %d", len(line), maxOpLine)
	}
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return Op{}, fmt.Errorf("operation %q has no verb", line)
	}
	op := Op{Verb: fields[0]}
	for _, f := range fields[1:] {
		key, value, has := strings.Cut(f, "=")
		if !has {
			op.Words = append(op.Words, f)
			continue
		}
		list, closed := strings.CutSuffix(strings.TrimPrefix(value, "("), ")")
		if key == "" || closed != strings.HasPrefix(value, "(") || strings.ContainsAny(list, "()") {
			return Op{}, fmt.Errorf("operation %q: %q is not key=value or key=(a,b)", line, f)
		}
		op.Options = append(op.Options, Option{Key: key, Values: strings.Split(list, ",")})
	}
	return op, nil
}

// ParseOps reads one operation a line; empty lines and those that begin with #
// are left out.
func ParseOps(text string) ([]Op, error) {
	var out []Op
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		op, err := ParseOp(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		out = append(out, op)
	}
	return out, nil
}

// String is the operation as a line.
func (op Op) String() string {
	parts := append([]string{op.Verb}, op.Words...)
	for _, o := range op.Options {
		value := strings.Join(o.Values, ",")
		if len(o.Values) > 1 {
			value = "(" + value + ")"
		}
		parts = append(parts, o.Key+"="+value)
	}
	return strings.Join(parts, " ")
}

// word is the i-th word, empty when there are fewer.
func (op Op) word(i int) string {
	if i < len(op.Words) {
		return op.Words[i]
	}
	return ""
}

// has reports whether a word is there.
func (op Op) has(word string) bool { return slices.Contains(op.Words, word) }

// list gives the values of an option.
func (op Op) list(key string) []string {
	for _, o := range op.Options {
		if o.Key == key {
			return o.Values
		}
	}
	return nil
}

// text gives the value of an option, def where it is not there.
func (op Op) text(key, def string) string {
	if v := op.list(key); len(v) == 1 && v[0] != "" {
		return v[0]
	}
	return def
}

// part reads an option that is a probability, 0 where it is not there.
func (op Op) part(key string) (float64, error) {
	p, err := strconv.ParseFloat(op.text(key, "0"), 64)
	if err != nil || !(p >= 0 && p <= 1) {
		return 0, fmt.Errorf("%s: %s=%s is not a number from 0 to 1", op.Verb, key, op.text(key, ""))
	}
	return p, nil
}

// amount reads a number with an optional suffix: K, M, G or T of 1024.
func amount(s string) (int64, error) {
	shift := 0
	if s != "" {
		if i := strings.IndexByte("KMGT", s[len(s)-1]); i >= 0 {
			s, shift = s[:len(s)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is not an amount such as 512M", s)
	}
	return n << shift, nil
}

// cores reads a number of cores, such as 0.5, into thousandths.
func cores(s string) (int64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0 && n <= 1e6) {
		return 0, fmt.Errorf("%q is not a number of cores", s)
	}
	return int64(math.Round(n * 1000)), nil
}

// maxSpan bounds a time in an operation, so that no run lasts for ever: a day.
const maxSpan cluster.Millis = 86_400_000

// span reads a time such as 30s, 250ms or -2m.
func span(s string) (cluster.Millis, error) {
	for _, unit := range []struct {
		suffix string
		millis int64
	}{{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3_600_000}} {
		digits, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		d := cluster.Millis(n * unit.millis)
		if err != nil || d > maxSpan || d < -maxSpan {
			break
		}
		return d, nil
	}
	return 0, fmt.Errorf("%q is not a time such as 250ms or 30s of at most a day", s)
}

// lasting is the first word from the i-th on that is a time, def where there is none.
func (op Op) lasting(i int, def cluster.Millis) (cluster.Millis, error) {
	for ; i < len(op.Words); i++ {
		if c := op.Words[i][len(op.Words[i])-1]; c == 's' || c == 'm' || c == 'h' {
			if d, err := span(op.Words[i]); err == nil {
				return d, nil
			}
		}
	}
	return def, nil
}
