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
//	/probe serve PORT TEXT prints "ready", answers connections with TEXT first
//	/probe fetch ADDRESS   prints what answers there
//	/probe write PATH      writes a file and prints "wrote PATH"
//	/probe read PATH       prints a file
//
// It ends with 99 when it cannot do what it was told;
// and, for Exec, exit and print as above and "flood N", which prints N bytes.
package runnertest
