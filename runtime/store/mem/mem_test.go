package mem_test

import (
	"testing"

	"github.com/universe-dcos/universe/runtime/store"
	"github.com/universe-dcos/universe/runtime/store/mem"
	"github.com/universe-dcos/universe/runtime/store/storetest"
)

func TestLog(t *testing.T) {
	storetest.Run(t, func(testing.TB) storetest.Open {
		l := mem.New()
		return func(testing.TB) store.Log {
			l.Reopen()
			return l
		}
	})
}
