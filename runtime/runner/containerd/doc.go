// Package containerd runs tasks as containers of a containerd 2 daemon, with
// runc under the v2 shim. It is the only importer of containerd's client.
//
// What a container gets: the image's root file system over a snapshot of its
// own, the network of the daemon's network namespace or that of its group, its
// own pid, ipc, uts and mount namespaces, no new privileges, the default seccomp
// profile, a small set of capabilities, and limits on memory, processes and files.
// CPU is a weight, not a ceiling, unless the task or Options.Quota say so.
// Directories of the machine are mounted only where Options.HostPaths allows it;
// volumes are the agent's own.
//
// A group of tasks can have a network namespace of its own (Attach): it is bound
// to a file in Options.Dir and connected by CNI plugins, which run in the network
// namespace of this process, the one that published ports answer in. Beside each
// is a record of all that it takes to undo it, so that another life of the agent
// can. Our own network, cluster.DefaultNetwork, is a bridge of this agent with
// addresses of Options.Subnet, masqueraded to the outside, and ports published for
// TCP and UDP at every address of the machine, 127.0.0.1 included. For it the
// bridge plugin sets net.ipv4.ip_forward of the namespace, and portmap sets
// route_localnet of the bridge; nothing else of this package does, and nothing
// sets ip_forward back. The plugins make their rules with nft, or with iptables
// where there is no nft. The bridge goes with the last group; the plugins' tables
// stay, without our rules in them, since others may use them too. A machine whose
// own rules drop forwarded packets, as Docker's do, must let those of the bridge pass.
//
// Images that no container uses can be removed (Prune), the longest unused first:
// a label on each says when it was used last.
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
