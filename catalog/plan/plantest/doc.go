// Package plantest gives tests a small catalog: a real registry in a temporary
// directory, packages that a test makes of a few lines, and Engine, a runtime
// in memory that keeps the rules of plan.Engine.
package plantest
