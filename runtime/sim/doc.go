// Package sim is a whole cluster in one goroutine and in virtual time: the real
// core, allocator, service and job frameworks between a master and agents that
// are made up here, with frameworks of outside that are greedy, refusing, slow,
// dead, hoarding, lying or keep volumes, over a network that delays, loses, repeats, reorders
// and divides, and a disk that may lose the batch that was being written. A run
// is a heap of events ordered by time and number; all chance comes from one
// seed. The same seed is the same run, bit for bit.
//
// What is checked after every applied command: core.Check, alloc.Check, that no
// agent is asked to run more than it has, that the service framework does the
// same with and without its memory, and that a master that crashed comes back
// from its log to the very state it had; that the master gives up no task that
// runs, that groups are launched whole, and that a task sees in a volume just
// what was written into that volume. What the service framework asks for is
// judged in the state in which it asked: rules on agents, gangs, preemption and
// MinReady. It is followed, too, which instance has which place: no place is
// given up with its data unless a person, the pod's own Recovery, the end of its
// service or the loss of its machine gave it up, no two groups of tasks live with
// one volume, and neither a ONCE task on the same volumes nor a step of the same
// start of a plan is run again after it ended well. After the faults end, Settle demands
// that the cluster becomes what is wanted, and that nothing else runs: first
// with the frameworks of outside there, then without them, when nothing that
// they held may be left. A plan is through then, or says that it waits for a
// person; when that person answers, it is through. When all is uninstalled,
// nothing is reserved and no data is left.
//
// Whatever happens is a list of operations, each a line of text (Op). A scenario
// file in testdata says step by step what happens and what is seen. TestSeeds
// lets chance write the list (Plan); a failure prints its SEED and COMMIT, is made
// smaller (Minimise), and is saved under testdata as a scenario that replays, so
// that it is a test until it is mended and removed. Both
//
//	go test ./runtime/sim -run TestSeeds -seed=SEED
//	make sim SEEDS=N
//
// run it, alone or with N others.
package sim
