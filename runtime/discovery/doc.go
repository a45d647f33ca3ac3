// Package discovery makes the names of a cluster out of its state and brings
// them to where they are asked for.
//
// A Zone is all names at one moment. The master's Builder makes it out of a
// core.View; building again costs little where little changed, and gives the
// same Zone when nothing of it did. Handler serves it to agents, Follow keeps
// an agent's copy up to date by a long poll that carries only what changed.
// Package nameserver answers DNS out of a Zone, package vip carries connections
// to virtual addresses by it, package names says how things are called.
//
//	b := discovery.NewBuilder(discovery.Config{Master: addrs})
//	zone := b.Build(view)                      // master, after each change
//	zone.Lookup("broker-0-node.kafka.universe") // anywhere
//
// Invariants:
//
//   - A Zone never changes; who has one may keep it.
//   - Its Index is the log index at which it became what it is: two zones of
//     one master with one Index are the same.
//   - The name of a task that has a place is there before its first launch and
//     until the place is given up; that of another one while it is active.
//   - A service's own name and its endpoints lead to ready instances only.
//   - A virtual address stays with its endpoint as long as that lives.
package discovery
