// Package framework is the offer API for those who write a scheduler of their
// own: its messages, and a small SDK over them that works in the master's
// process or over HTTP.
//
// A framework opens a session and reads a stream of events, one JSON value a
// line; it makes calls beside it, many in one request, applied in order:
//
//	POST PathSession  body Subscribe; 200 and Events until either side ends it.
//	                  The first one is Subscribed. A second session of a
//	                  framework ends its first one.
//	POST PathCalls    body Calls; 202 when all of them are in the log. What
//	                  becomes of them are events. 410 when the session is not
//	                  the framework's current one.
//
// Offers are promises until their deadline. An Accept uses offers of one agent
// under one role; the tasks that it cannot launch are heard of as updates, as
// all that happens to tasks is. An update with a UUID comes again until it is
// acknowledged, in this session or a later one: the same one can come twice. A
// session of a framework that was away, or whose master was restarted, begins
// with how all of its tasks stand, and with how those ended that are still
// recorded, but for what it acknowledged to this master. A framework that
// acknowledges nothing hears of no more tasks when it is behind with many.
// A task's updates come in order, the next one after the acknowledgement of the
// one before.
//
// When the stream breaks, offers are void and tasks run on. A framework that
// does not come back within its FailoverTimeout is removed with its tasks.
//
// Run does the repeating part: sessions one after the other, acknowledgements
// once the Handler is done with an update.
package framework
