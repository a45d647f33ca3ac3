// Package render puts things on a terminal or into a pipe: tables by display
// width, JSON and YAML, an error in its four parts, and the progress of
// something long as a tree that is redrawn on a terminal and printed as one
// line per change elsewhere.
//
// Rules it keeps:
//   - Text that came from elsewhere passes Clean before it is printed, so that
//     a package's summary cannot steer the terminal.
//   - Nothing is cut where the reader is no terminal.
//   - A state is never shown by colour alone: a symbol and a word stand beside it.
package render
