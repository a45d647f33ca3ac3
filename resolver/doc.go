// Package resolver picks one version of every needed package so that all
// requirements hold, or proves that there is none.
//
// It is pure: no network, files, clock, randomness, goroutines or log. The same
// snapshot and request give the same answer, byte for byte. What exists comes
// from a [Source]; [Solve] answers one request, and a [Solver] keeps what it
// has read for many requests to one snapshot.
//
// The method is PubGrub: unit propagation and learning from conflicts over sets
// of versions, which gives the proof for a failure ([NoSolution]) as a graph
// that package explain turns into sentences.
//
// # Meaning of a request
//
//   - At most one version of a package is chosen.
//   - A requirement on X is met by package X at a version that passes the
//     constraint and has all named features, which switches them on, so that
//     their requirements must hold too. If no feature is named, a chosen release
//     that provides X at a version that passes will do as well.
//   - A conflict of A with X forbids package X at a version that passes, and
//     every provider of X other than A.
//   - An optional requirement chooses nothing by itself, but if package X is
//     chosen for another reason, its version must pass.
//   - Installed packages stay, at their version if that is possible.
//   - A withdrawn (yanked) release is chosen only if it is installed or the
//     request names exactly its version.
//   - Among the versions that will do the newest is tried first, deprecated ones
//     last. A prerelease is tried only if the constraints admit it.
//
// # Inside
//
// Each package has a small domain of values: "not chosen" and its known
// versions. A fact, given or learned, is a list of (package, set of values)
// that must not all hold at once. Sets are bit sets, filled by
// [constraint.Constraint.Check] itself, so that the rules of the constraint
// language are kept to the letter.
package resolver
