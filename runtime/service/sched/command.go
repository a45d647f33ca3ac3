package sched

import "github.com/universe-dcos/universe/runtime/core"

// Command is what a call that is about no offer asks of the state; nil when
// there is no such call. By is the principal.
func Command(call Call, by string) core.Command {
	switch c := call.(type) {
	case Kill:
		return core.KillTask{Task: c.Task, Grace: c.Grace, Reason: c.Reason, Principal: by}
	case Forget:
		return core.ForgetService{Service: c.Service, Principal: by}
	case Cancel:
		return core.CancelRun{Run: c.Run, Principal: by}
	case Release:
		return core.ReleasePlaces{Service: c.Service, Instances: c.Instances, Principal: by}
	case Replace:
		return core.RestartInstance{Service: c.Service, Pod: c.Pod, Index: c.Index, Replace: true, Principal: by}
	case Settle:
		return core.SettleService{Service: c.Service, Generation: c.Generation, Principal: by}
	case Run:
		return core.PutRun{Spec: c.Spec, Principal: by}
	case Rollback:
		return core.RollbackService{Service: c.Service, Generation: c.Generation, Expect: &c.Expect, Principal: by}
	}
	return nil
}
