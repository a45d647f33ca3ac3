package sched

import (
	"cmp"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// Room is all that one agent offers under one role: one or several offers,
// taken together, and the tasks that were put there.
type Room struct {
	Agent  *cluster.Agent
	Role   cluster.Role
	Offers []cluster.OfferID
	Free   cluster.Pool // what is left after the tasks
	Tasks  []cluster.TaskSpec
	Before int // tasks that are active on the agent already
	// Operations make Places. A room with places gets no tasks.
	Operations []cluster.Operation
	Places     []core.PlaceFor
	// Held says that what is free is kept for somebody who came first and waits
	// for more of it: nobody else is put there.
	Held bool
	// Keep says that the offers are not answered: somebody waits for more beside them.
	Keep bool
	// Deadline is when the first of the offers expires.
	Deadline cluster.Time
}

// Rooms groups offers, in order of agent and role. The offers must not change
// while the rooms are used.
func Rooms(view *core.View, offers []cluster.Offer) []*Room {
	sorted := make([]*cluster.Offer, len(offers))
	for i := range offers {
		sorted[i] = &offers[i]
	}
	slices.SortFunc(sorted, func(a, b *cluster.Offer) int {
		if c := cmp.Compare(a.Agent.ID, b.Agent.ID); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.ID, b.ID))
	})
	ids := make([]cluster.OfferID, len(sorted))
	block := make([]Room, 0, len(sorted)) // never grows: the rooms are pointed at
	rooms := make([]*Room, 0, len(sorted))
	first := 0
	for i, o := range sorted {
		ids[i] = o.ID
		if n := len(block); n > 0 && block[n-1].Agent.ID == o.Agent.ID && block[n-1].Role == o.Role {
			block[n-1].Offers = ids[first : i+1 : i+1]
			block[n-1].Free = block[n-1].Free.Plus(o.Pool())
			block[n-1].Deadline = min(block[n-1].Deadline, o.Deadline)
			continue
		}
		first = i
		block = append(block, Room{Agent: &o.Agent, Role: o.Role, Offers: ids[i : i+1 : i+1], Free: o.Pool(), Deadline: o.Deadline})
		rooms = append(rooms, &block[len(block)-1])
	}
	count(view, rooms)
	return rooms
}

// count notes how many tasks are on the rooms' agents. Both are in order of the
// agents' ids, so one walk finds all.
func count(view *core.View, rooms []*Room) {
	if len(rooms) == 0 {
		return
	}
	i := 0
	for a := range view.Agents() {
		for i < len(rooms) && rooms[i].Agent.ID < a.Info.ID {
			i++
		}
		for i < len(rooms) && rooms[i].Agent.ID == a.Info.ID {
			rooms[i].Before = a.Tasks
			i++
		}
		if i == len(rooms) {
			return
		}
	}
}

// FreeRooms gives what the view says is free on each agent that gets tasks, in
// order of the agents, as rooms of a role without offers: they tell what would
// fit, and nothing can be launched in them.
func FreeRooms(view *core.View, role cluster.Role) []*Room {
	block := make([]Room, 0, view.AgentCount())
	rooms := make([]*Room, 0, view.AgentCount())
	for a := range view.Agents() {
		if a.Offerable() {
			block = append(block, Room{Agent: &a.Info, Role: role, Free: a.FreePool(), Before: a.Tasks})
			rooms = append(rooms, &block[len(block)-1])
		}
	}
	return rooms
}

// Load is how many tasks are on the room's agent with those that were put there.
func (r *Room) Load() int { return r.Before + len(r.Tasks) }

// Usable is what a task of the room's role can have in all: what is not reserved
// and what is reserved for the role or one above it, without volumes.
func (r *Room) Usable() cluster.Resources { return Usable(r.Free, r.Role) }

// Usable is what a task of a role can have of a pool in all, without volumes.
func Usable(p cluster.Pool, role cluster.Role) cluster.Resources {
	out := p.Open
	for _, x := range p.Reserved {
		if x.Stack.For(role) {
			out = out.Plus(x.Resources)
		}
	}
	return out
}

// Claim gives each task of a group its ports and what it takes of reservations,
// the narrowest first. Seed is that of Assign. It reports false when the group
// does not fit. Nothing is taken before Put.
func (r *Room) Claim(tasks []cluster.TaskTemplate, seed uint64) ([]Claim, bool) {
	claims, ok := Assign(r.Usable().Ports, tasks, seed)
	if !ok {
		return nil, false
	}
	left := r.Free
	for i := range claims {
		if len(left.Reserved) == 0 {
			if cluster.Fits(left.Open, claims[i].Resources) != nil {
				return nil, false
			}
			left.Open = left.Open.Minus(claims[i].Resources)
			continue
		}
		part, ok := left.Draw(r.Role, claims[i].Resources)
		if !ok {
			return nil, false
		}
		claims[i].Reserved, left = part.Reserved, left.Minus(part)
	}
	return claims, true
}

// Put adds a group of tasks that fits; the claims are those of Claim.
func (r *Room) Put(tasks []cluster.TaskSpec) {
	for i := range tasks {
		r.Free = r.Free.Minus(tasks[i].Pool())
	}
	r.Tasks = append(r.Tasks, tasks...)
}

// Answer turns rooms into calls: one Accept for each that got tasks or places,
// Declines for the others, refused for a short time when their role is wanted
// and a long one when it is not. Those to keep are not answered.
func Answer(rooms []*Room, wanted []cluster.Role) []Call {
	calls := make([]Call, 0, len(rooms))
	for _, r := range rooms {
		if len(r.Tasks)+len(r.Places) > 0 {
			calls = append(calls, Accept{Offers: r.Offers, Tasks: r.Tasks, Operations: r.Operations, Places: r.Places})
			continue
		}
		if r.Keep {
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

// Unanswered is those of the offers that no call accepts or declines: they are
// kept, and are to be among the offers of the next step.
func Unanswered(offers []cluster.Offer, calls []Call) []cluster.Offer {
	answered := make(map[cluster.OfferID]bool, len(offers))
	for _, c := range calls {
		switch c := c.(type) {
		case Accept:
			for _, id := range c.Offers {
				answered[id] = true
			}
		case Decline:
			answered[c.Offer] = true
		}
	}
	if len(answered) == len(offers) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(offers), func(o cluster.Offer) bool { return answered[o.ID] })
}
