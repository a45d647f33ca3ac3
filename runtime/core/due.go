package core

import "github.com/universe-dcos/universe/runtime/cluster"

// Due gives the commands that time alone makes at now: frameworks whose
// failover time-out is over, and agents whose drain's deadline is. Apply checks
// them again, since something can come between.
func (v *View) Due(now cluster.Time) []Command {
	var out []Command
	for f := range v.Frameworks() {
		if f.expired(now) {
			out = append(out, ExpireFramework{Framework: f.Info.ID, Principal: "master"})
		}
	}
	for a := range v.Agents() {
		if a.drainDue(now) {
			out = append(out, ExpireDrain{Agent: a.Info.ID, Principal: "master"})
		}
	}
	return out
}

// expired reports whether a framework was away for longer than it may.
func (f *Framework) expired(now cluster.Time) bool {
	return !f.Connected && !f.Removing && now.Sub(f.Since) >= f.Info.FailoverTimeout
}
