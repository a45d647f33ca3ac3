package master

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// idleRoles is how many roles under which nothing is wanted stay subscribed.
// Each service with volumes has a role of its own: dropping them only when many
// have gathered keeps one that comes and goes from costing a command each time.
const idleRoles = 32

// subscribe subscribes a framework, when it is not, under the roles that it wants.
func (f *resident) subscribe(view *core.View, wanted []cluster.Role) []request {
	info := cluster.Framework{ID: f.id, Name: f.name, Principal: "master"}
	known := view.Framework(f.id)
	if known == nil {
		info.Roles = rolesFor(nil, wanted)
	} else if info.Roles = rolesFor(known.Info.Roles, wanted); known.Connected && slices.Equal(info.Roles, known.Info.Roles) {
		return nil
	}
	return []request{{cmd: core.PutFramework{Framework: info, Principal: "master"}, own: true}}
}

// rolesFor gives the roles to be subscribed, sorted: those that are wanted (which
// are sorted, too) and, of those that were and are not wanted now, all or none.
// Of more than cluster.MaxRoles that are wanted, those that are subscribed come
// first: the others have their turn when these got what they want.
func rolesFor(had, wanted []cluster.Role) []cluster.Role {
	roles := []cluster.Role{cluster.DefaultRole}
	var idle []cluster.Role
	for _, r := range had {
		_, want := slices.BinarySearch(wanted, r)
		switch {
		case r == cluster.DefaultRole:
		case want:
			roles = append(roles, r)
		default:
			idle = append(idle, r)
		}
	}
	for _, r := range wanted {
		if r != cluster.DefaultRole && !slices.Contains(had, r) {
			roles = append(roles, r)
		}
	}
	if len(idle) <= idleRoles {
		roles = append(roles, idle...)
	}
	roles = roles[:min(len(roles), cluster.MaxRoles)]
	slices.Sort(roles)
	return roles
}
