package sched

import (
	"cmp"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Room is all that one agent offers under one role: one or several offers,
// taken together, and the tasks that were put there.
type Room struct {
	Agent  cluster.Agent
	Role   cluster.Role
	Offers []cluster.OfferID
	Free   cluster.Resources // what is left after the tasks
	Tasks  []cluster.TaskSpec
}

// Rooms groups offers, in order of agent and role.
func Rooms(offers []cluster.Offer) []*Room {
	sorted := slices.Clone(offers)
	slices.SortFunc(sorted, func(a, b cluster.Offer) int {
		return cmp.Or(cmp.Compare(a.Agent.ID, b.Agent.ID), cmp.Compare(a.Role, b.Role), cmp.Compare(a.ID, b.ID))
	})
	rooms := make([]*Room, 0, len(sorted))
	for i := range sorted {
		o := &sorted[i]
		if n := len(rooms); n > 0 && rooms[n-1].Agent.ID == o.Agent.ID && rooms[n-1].Role == o.Role {
			rooms[n-1].Offers = append(rooms[n-1].Offers, o.ID)
			rooms[n-1].Free = rooms[n-1].Free.Plus(o.Resources)
			continue
		}
		rooms = append(rooms, &Room{Agent: o.Agent, Role: o.Role, Offers: []cluster.OfferID{o.ID}, Free: o.Resources})
	}
	return rooms
}

// Put adds a group of tasks that fits; the claims are those of Assign.
func (r *Room) Put(tasks []cluster.TaskSpec) {
	for i := range tasks {
		r.Free = r.Free.Minus(tasks[i].Resources)
	}
	r.Tasks = append(r.Tasks, tasks...)
}

// Answer turns rooms into calls: one Accept for each that got tasks, Declines
// for the others, refused for a short time when their role is wanted and a long
// one when it is not.
func Answer(rooms []*Room, wanted []cluster.Role) []Call {
	calls := make([]Call, 0, len(rooms))
	for _, r := range rooms {
		if len(r.Tasks) > 0 {
			calls = append(calls, Accept{Offers: r.Offers, Tasks: r.Tasks})
			continue
		}
		refuse := RefuseIdle
		if slices.Contains(wanted, r.Role) {
			refuse = RefuseShort
		}
		for _, id := range r.Offers {
			calls = append(calls, Decline{Offer: id, RefuseFor: refuse})
		}
	}
	return calls
}
