// Package vip makes the virtual addresses of endpoints real on one machine: it
// listens at them and carries each TCP connection to a ready instance.
//
//	room, err := vip.OpenRoom(ctx, discovery.DefaultRange)   // root
//	p := vip.Proxy{Range: discovery.DefaultRange, Listen: room.Listen}
//	err = p.Run(ctx, board)
//
// The listeners are in a network namespace of their own, the Room, and not on
// the machine's loopback: a service that binds its fixed port at all addresses
// of the machine would be refused it if the proxy listened there on the same
// port, or would keep the proxy from it. The machine has one route to the Room
// for the whole range, which containers on its bridges use too. The Room has no
// name: it goes with the process that made it, however that ends, and takes its
// interface, its route and its listeners with it.
//
// A connection goes to the instance with the fewest connections of this
// machine. One that does not answer is passed over for a while, and the next is
// tried. Connections are spliced in the kernel; an end of sending is handed on
// as such. An endpoint that goes closes its listener at once, and its
// connections when they are done or DrainTime is over.
package vip
