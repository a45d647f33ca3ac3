// Package archtest holds the rules of the house as tests over its source: who
// may import whom, what pure code may not do, how long a function may be, and
// that everything public is explained. Each rule carries its reason, so that
// the failure teaches. It has no code of its own.
package archtest
