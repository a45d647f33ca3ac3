// Package registrytest is the suite that every registry.Store passes, and a
// Store that fails on purpose.
//
//	func TestStore(t *testing.T) {
//		registrytest.Run(t, func(t *testing.T) registry.Store { return open(t) })
//	}
package registrytest
