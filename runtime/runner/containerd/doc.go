// Package containerd runs tasks as containers of a containerd 2 daemon, with
// runc under the v2 shim. It is the only importer of containerd's client.
//
// What a container gets: the image's root file system over a snapshot of its
// own, the network of the daemon's network namespace, its own pid, ipc, uts and
// mount namespaces, no new privileges, the default seccomp profile, a small set
// of capabilities, and limits on memory, processes and files. CPU is a weight,
// not a ceiling, unless the task or Options.Quota say so. Directories of the
// machine are mounted only where Options.HostPaths allows it.
//
// Output goes to the sandbox (package output) by our logger, a small process
// that the shim starts beside each container, or by the shim itself where the
// logger's program is not there.
//
// Two daemons of one machine must not see equal container ids in an equal
// namespace: runc keeps its state by them, and cleaning up after the refused
// second container kills the first. Hence one namespace per agent (Namespace),
// and a runc root and shim sockets of its own for each Daemon.
//
// A container's exit code lives in its shim and dies with it. The Runner writes
// it into the container's labels as soon as it hears of it, so that the code
// outlives containerd; where nobody heard of it, the exit is Unknown and never
// guessed.
//
// The package runs on Linux only.
package containerd
