// Package sim is a whole cluster in one goroutine and in virtual time: the real
// core, allocator, service and job frameworks between a master and agents that
// are made up here, over a network that delays, loses, repeats and reorders. A
// run is a heap of events ordered by time and number; all chance comes from one
// seed. The same seed is the same run, bit for bit.
//
// What is checked after every applied command: core.Check, alloc.Check, that no
// agent is asked to run more than it has, and that a master that crashed comes
// back from its log to the very state it had. After the faults end, Settle
// demands that the cluster becomes what is wanted, and that nothing else runs.
//
// Two ways to use it. A scenario file in testdata says step by step what happens
// and what is seen. TestSeeds lets chance decide what happens; a failure prints
// its SEED, and
//
//	go test ./runtime/sim -run TestSeeds -seed=SEED
//
// runs it again. -seeds=N runs N of them.
package sim
