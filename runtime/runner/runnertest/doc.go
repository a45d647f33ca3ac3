// Package runnertest is the suite that every runner.Runner passes.
//
//	func TestSuite(t *testing.T) { runnertest.Run(t, runnertest.Harness{…}) }
//
// The containers it starts run the program /probe, a small language of one verb:
//
//	/probe exit N          ends at once with code N
//	/probe print TEXT      prints TEXT and ends with 0
//	/probe run             prints "ready", runs until TERM, which it does not handle
//	/probe graceful        prints "ready", runs until TERM, then ends with 0
//	/probe stubborn        prints "ready", ignores TERM
//
// and, for Exec, exit and print as above and "flood N", which prints N bytes.
package runnertest
