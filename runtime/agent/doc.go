// Package agent is the shell on a node: it opens a session with the master,
// launches what it is ordered to, checks readiness and health, and reports.
//
// What may be relied on:
//
//   - A decision is on disk before it is acted on (package checkpoint), so an
//     agent that is killed at any point comes back to the same decision.
//   - A running container belongs to its task, not to this process: when the
//     agent ends, containers run on, and the next life adopts them.
//   - Every report on a task is sent until it is acknowledged, in order, one
//     at a time.
//   - An exit code is the engine's or none: an end that nobody saw is TASK_FAILED
//     with REASON_EXIT_STATUS_UNKNOWN.
//   - A persistent volume outlives its tasks (package volume) and is mounted by
//     the tasks of one group at a time. Its data goes only on an order, and never
//     while a task has it.
//   - A group with a network of its own is attached before its first task starts
//     and detached when its last container is removed; its ports are given to
//     nobody before that.
//   - What an order says is checked as if nobody had checked it before.
//
// Each task has one goroutine that owns it from launch to removal; the session
// and the engine's events only send it messages.
package agent
