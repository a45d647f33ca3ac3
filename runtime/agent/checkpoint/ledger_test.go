package checkpoint

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func open(t *testing.T, path string) *Ledger {
	t.Helper()
	l, err := Open(path, "a1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func st(id cluster.TaskID, state cluster.TaskState, uuid string, at cluster.Time) cluster.TaskStatus {
	return cluster.TaskStatus{Task: id, State: state, UUID: uuid, At: at}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLedger_survivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.db")
	l := open(t, path)
	must(t, l.SetBoot("b1"))
	must(t, l.Launch(cluster.TaskSpec{ID: "a.1", Name: "a"}, st("a.1", cluster.TaskStarting, "u1", 10)))
	must(t, l.Report(st("a.1", cluster.TaskRunning, "u2", 11)))
	must(t, l.SetKill("a.1", Kill{Deadline: 99}))
	must(t, l.Report(st("a.1", cluster.TaskKilled, "u3", 12)))
	must(t, l.SetRemoved("a.1"))
	must(t, l.Launch(cluster.TaskSpec{ID: "b.1"}, st("b.1", cluster.TaskStarting, "u4", 13)))
	must(t, l.Forget("b.1"))
	want := l.All()
	must(t, l.Close())

	l = open(t, path)
	if diff := cmp.Diff(want, l.All()); diff != "" {
		t.Errorf("records after reopening (-want +got):\n%s", diff)
	}
	if boot, err := l.Boot(); err != nil || boot != "b1" {
		t.Errorf("Boot: got %q, %v", boot, err)
	}
	rec := want[0]
	if len(want) != 1 || rec.Started != 11 || rec.Ended != 12 || !rec.Removed || rec.Kill.Deadline != 99 || len(rec.Pending) != 3 {
		t.Errorf("record: got %+v", rec)
	}
}

func TestReport_isCountedAlsoAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.db")
	l := open(t, path)
	must(t, l.Launch(cluster.TaskSpec{ID: "a.1"}, st("a.1", cluster.TaskStarting, "u1", 10)))
	must(t, l.Report(st("a.1", cluster.TaskRunning, "u2", 5))) // the clock stepped back
	must(t, l.Close())
	l = open(t, path)
	must(t, l.Report(st("a.1", cluster.TaskKilled, "u3", 4)))
	r, ok := l.Get("a.1")
	if !ok || r.Status.Seq != 3 || r.Pending[0].Seq != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestLedger_refusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.db")
	l := open(t, path)
	must(t, l.Launch(cluster.TaskSpec{ID: "a.1"}, st("a.1", cluster.TaskFailed, "u1", 1)))
	for what, c := range map[string]struct{ got, want error }{
		"a second launch":        {l.Launch(cluster.TaskSpec{ID: "a.1"}, st("a.1", cluster.TaskStarting, "u2", 2)), ErrHeld},
		"a report after the end": {l.Report(st("a.1", cluster.TaskRunning, "u3", 3)), ErrEnded},
		"a report on a stranger": {l.Report(st("b.1", cluster.TaskRunning, "u4", 4)), ErrUnknown},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", what, c.got, c.want)
		}
	}
	if err := l.Ack("b.1", "u"); err != nil {
		t.Errorf("ack of an unknown task: %v", err)
	}
	must(t, l.Close())
	if _, err := Open(path, "a2"); err == nil {
		t.Error("the ledger of another agent: got no error")
	}
}

func TestDue_givesOneReportOfATaskAtATimeInOrder(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "agent.db"))
	must(t, l.Launch(cluster.TaskSpec{ID: "b.1"}, st("b.1", cluster.TaskStarting, "u1", 1)))
	must(t, l.Launch(cluster.TaskSpec{ID: "a.1"}, st("a.1", cluster.TaskStarting, "u2", 2)))
	must(t, l.Report(st("b.1", cluster.TaskRunning, "u3", 3)))
	begun := time.Now()
	due := func(after time.Duration, limit int) (uuids []string) {
		for _, s := range l.Due(begun.Add(after), 10*time.Second, limit) {
			uuids = append(uuids, s.UUID)
		}
		return uuids
	}
	check := func(what string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("first", due(0, 1), "u1")
	check("over the limit", due(0, 9), "u2")
	check("all are on their way", due(time.Second, 9))
	check("after a while", due(11*time.Second, 9), "u1", "u2")
	must(t, l.Ack("b.1", "u1"))
	check("after an ack", due(12*time.Second, 9), "u3")
	l.NewSession()
	check("in a new session", due(13*time.Second, 9), "u2", "u3")
	l.Unsend([]cluster.TaskStatus{st("a.1", cluster.TaskStarting, "u2", 2)})
	check("after a failure", due(14*time.Second, 9), "u2")
	must(t, l.Ack("a.1", "other"))
	must(t, l.Ack("a.1", "u2"))
	must(t, l.Ack("b.1", "u3"))
	check("after all acks", due(time.Hour, 9))
}

func TestReport_aNewerOneReplacesWhatNobodyHasSeen(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "agent.db"))
	must(t, l.Launch(cluster.TaskSpec{ID: "a.1"}, st("a.1", cluster.TaskStarting, "u1", 1)))
	l.Due(time.Now(), time.Minute, 9) // u1 is on its way: it must stay
	for _, u := range []string{"u2", "u3"} {
		must(t, l.Report(st("a.1", cluster.TaskStarting, u, 2)))
	}
	must(t, l.Report(st("a.1", cluster.TaskRunning, "u4", 3)))
	must(t, l.Report(st("a.1", cluster.TaskRunning, "u5", 4)))
	rec, _ := l.Get("a.1")
	var got []string
	for _, s := range rec.Pending {
		got = append(got, s.UUID)
	}
	if diff := cmp.Diff([]string{"u1", "u3", "u5"}, got); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
	// An ack of a later one stands for those before it.
	must(t, l.Ack("a.1", "u3"))
	if rec, _ = l.Get("a.1"); len(rec.Pending) != 1 || rec.Pending[0].UUID != "u5" {
		t.Errorf("pending after the ack of u3: got %+v", rec.Pending)
	}
}

func TestSetKill_anOrderStandsAndTimeIsNeverGiven(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "agent.db"))
	must(t, l.Launch(cluster.TaskSpec{ID: "a.1"}, st("a.1", cluster.TaskRunning, "u1", 1)))
	for _, c := range []struct{ set, want Kill }{
		{Kill{Reason: "SICK", Message: "m", Deadline: 50}, Kill{Reason: "SICK", Message: "m", Deadline: 50}},
		{Kill{Deadline: 90}, Kill{Deadline: 50}},
		{Kill{Reason: "SICK", Message: "m", Deadline: 40}, Kill{Deadline: 40}},
		{Kill{Deadline: 30}, Kill{Deadline: 30}},
	} {
		must(t, l.SetKill("a.1", c.set))
		if rec, _ := l.Get("a.1"); *rec.Kill != c.want {
			t.Errorf("after SetKill(%+v): got %+v, want %+v", c.set, *rec.Kill, c.want)
		}
	}
}

func TestReportsAndUsed_countWhatIsHeld(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "agent.db"))
	spec := cluster.TaskSpec{ID: "a.1", Resources: cluster.Resources{CPU: 500, Mem: 1},
		Container: cluster.Container{Files: []cluster.File{{Path: "/x", Content: "long"}}}}
	must(t, l.Launch(spec, st("a.1", cluster.TaskStarting, "u1", 1)))
	must(t, l.Answer("stranger.1", st("stranger.1", cluster.TaskLost, "u2", 2)))
	if got := l.Reports(); len(got) != 1 || got[0].Spec.ID != "a.1" || got[0].Spec.Container.Files != nil {
		t.Errorf("Reports: got %+v, want a.1 without its files", got)
	}
	if used, n := l.Used(); n != 1 || used.CPU != 500 {
		t.Errorf("Used: got %v, %d", used, n)
	}
	must(t, l.Report(st("a.1", cluster.TaskFinished, "u3", 3)))
	if used, n := l.Used(); n != 0 || !used.IsZero() {
		t.Errorf("Used after the end: got %v, %d", used, n)
	}
	if len(l.Reports()) != 1 {
		t.Error("an end that is not acknowledged is not in Reports")
	}
	must(t, l.Ack("a.1", "u3"))
	if got := l.Reports(); len(got) != 0 {
		t.Errorf("Reports after the ack: got %+v", got)
	}
	must(t, l.Repeat("a.1"))
	if rec, _ := l.Get("a.1"); len(rec.Pending) != 1 || rec.Pending[0].UUID == "u3" || rec.Pending[0].State != cluster.TaskFinished {
		t.Errorf("after Repeat: got %+v", rec.Pending)
	}
}
