// Package explain words the proof of a failed solve: as sentences for people,
// as JSON for programs, and with hints on what to do.
//
// A proof ([resolver.NoSolution]) is a graph of facts and conclusions. Explain
// walks it from the conclusion and says each conclusion once, after what it
// rests on, in the manner of PubGrub's error reports. A conclusion that is used
// more than once gets a number. Sets of versions are printed in the author's
// words where some requirement has just that set, else in the shortest form
// that selects the same known versions.
//
//	var none *resolver.NoSolution
//	if errors.As(err, &none) {
//		report := explain.Explain(none, explain.Options{Request: "`install spark`"})
//		fmt.Print(report.Text())
//	}
//
// The last line ends "so <request> cannot be done". Everything is pure and
// determined by its input.
package explain
