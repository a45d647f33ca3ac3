// Package runtime is a map and holds no code: its name shadows the standard
// library's, so nobody imports it.
//
//	cluster    the vocabulary: agents, offers, tasks, resources, specs; Fits
//	core       the state machine: Command -> Apply -> Events, Effects; pure
//	alloc      who gets the next offer: hierarchical DRF, filters; pure
//	service    long-running services as a framework on the offer API; pure
//	job        run-once tasks as a framework on the offer API; pure
//	store      the command log with snapshots: mem/, bolt/, storetest/
//	master     the shell round core: loop, agent sessions, timers
//	agent      the shell on a node: launch, check, checkpoint, report
//	discovery  names (DNS) and virtual addresses: names/, nameserver/, vip/
//	runner     how a task becomes a process: containerd/, fake/, runnertest/
//	api        the HTTP dialects over the master: native/
//	client     the Go client of the native API
//	sim        the deterministic simulator and its scenario files
//	bundle     a module of its own: containerd, its shim, runc, CNI as tools
package runtime
