package spec

import (
	"regexp"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// checksumRE is what an artifact's content can be checked by.
var checksumRE = regexp.MustCompile(`^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)

// artifacts reads what is fetched before a task starts.
func (d *decoder) artifacts(n *node) []cluster.Artifact {
	var out []cluster.Artifact
	for _, an := range d.list(n, MaxArtifacts) {
		o := d.object(an, "artifact", "source", "checksum", "path", "unpack", "executable")
		var a cluster.Artifact
		if s := o.need("source"); s != nil {
			var known bool
			if a.Source, known = d.str(s, true); known && a.Source == "" {
				d.f.at(s.pos, "the source of an artifact is empty")
			}
		}
		if c := o.get("checksum"); c != nil {
			s, known := d.str(c, false)
			if a.Checksum = s; known && s != "" && !checksumRE.MatchString(s) {
				d.f.at(c.pos, "checksum is %q: want sha256: and 64, or sha512: and 128 hex digits", clip(s))
			}
		}
		if p := o.need("path"); p != nil {
			a.Path = d.absPath(p, "the path of an artifact")
			if slices.ContainsFunc(out, func(o cluster.Artifact) bool { return o.Path == a.Path && a.Path != "" }) {
				d.f.at(an.pos, "two artifacts are at %s", a.Path)
			}
		}
		if u := o.get("unpack"); u != nil {
			a.NoUnpack = !d.boolean(u)
		}
		if x := o.get("executable"); x != nil {
			a.Executable = d.boolean(x)
		}
		out = append(out, a)
	}
	return out
}

// limitNames are the limits of setrlimit(2).
var limitNames = []string{"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"}

// rlimits reads the kernel's limits on the processes of a task. A soft limit
// that is not given is the hard one.
func (d *decoder) rlimits(n *node) []cluster.Rlimit {
	var out []cluster.Rlimit
	for _, ln := range d.list(n, len(limitNames)) {
		o := d.object(ln, "limit", "name", "soft", "hard")
		var l cluster.Rlimit
		if nn := o.need("name"); nn != nil {
			s, known := d.word(nn, "the name of a limit")
			if l.Name = s; known && !slices.Contains(limitNames, s) {
				d.f.at(nn.pos, "%s", didYouMean("there is no limit "+clip(s), s, limitNames))
			}
			if slices.ContainsFunc(out, func(o cluster.Rlimit) bool { return o.Name == l.Name }) {
				d.f.at(ln.pos, "limit %s stands twice", clip(l.Name))
			}
		}
		both := true
		if h := o.need("hard"); h != nil {
			v, known := d.integer(h, 0, MaxRlimit)
			l.Hard, l.Soft, both = uint64(v), uint64(v), known
		}
		if s := o.get("soft"); s != nil {
			v, known := d.integer(s, 0, MaxRlimit)
			if l.Soft = uint64(v); known && both && l.Soft > l.Hard {
				d.f.at(s.pos, "the soft limit %d is above the hard one, %d", l.Soft, l.Hard)
			}
		}
		out = append(out, l)
	}
	return out
}
