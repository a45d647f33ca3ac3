// Package master is the shell round the pure core: it owns the cluster's state,
// the command log and the agents' sessions, and runs the built-in frameworks.
//
// One goroutine, Run, owns the state and the allocator. Everything else sends it
// commands through a bounded inbox (Submit) or reads immutable views (View). A
// round of the loop:
//
//  1. take what is in the inbox, at most MaxBatch commands;
//  2. append them to the log at once, apply them in order;
//  3. publish the new View and the events, order agents about, answer callers;
//  4. let the allocator make offers, and the built-in frameworks answer them;
//     what they ask for are commands of the next round, through the same checks
//     as anybody's.
//
// Nothing is done that is not in the log before. Orders to agents may be lost:
// an agent that opens a session says what it holds, and applying its
// registration derives again what it should be told.
//
// A master that restarts replays its log and waits for the agents; no task is
// started or ended because of it. An agent that stays away longer than
// RestartGrace counts as unreachable then. Frameworks that come back are told how
// their tasks stand, and how those ended whose records are kept.
//
// There is one time, Now: of commands, offers and timers. It follows the
// machine's clock but never goes back, not over a restart either.
//
// What is not in the log is gone with a master: offers and what was refused, the
// order of shares among equals, sessions, and the tokens to join with. Tokens are
// secrets and live an hour or so: after a restart others are made.
//
// The cluster's names (Zone) are made beside the loop after each change of the
// state, and served to agents. Each service with volumes has a role of its own,
// which no framework, service or run of others can have.
//
// Logs and sessions in containers (Exec) pass through the master from the agent
// to who asked, and are not kept. A session ends when either side or the master
// goes; there are at most MaxExecs.
package master
