package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this one seed, and print what happens when it fails")
	seedsFlag = flag.Int("seeds", 25, "how many seeds to run, the last of them a random one")
)

const (
	faultTime  cluster.Millis = 240_000
	settleTime cluster.Millis = 1_200_000
)

// TestSeeds lets chance decide: what is asked of the cluster, what fails, how
// badly. Then all faults end, and it must settle.
func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		if s := runSeed(*seedFlag); s.Err() != nil {
			t.Fatalf("SEED=%d %v", *seedFlag, s.Err())
		}
		return
	}
	for i := range *seedsFlag {
		seed := uint64(i + 1)
		if i == *seedsFlag-1 {
			seed = rand.Uint64()>>1 + 1
		}
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			if s := runSeed(seed); s.Err() != nil {
				t.Errorf("SEED=%d %v", seed, s.Err())
			}
		})
	}
}

// TestSeeds_areReproducible runs a seed twice.
func TestSeeds_areReproducible(t *testing.T) {
	a, b := runSeed(3), runSeed(3)
	if a.Err() != nil {
		t.Fatalf("SEED=3 %v", a.Err())
	}
	if x, y := a.View().Hash(), b.View().Hash(); x != y || a.number != b.number {
		t.Errorf("two runs of one seed: states %s and %s after %d and %d events", x, y, a.number, b.number)
	}
	if a.View().Hash() == runSeed(4).View().Hash() {
		t.Error("two seeds give the same state")
	}
}

// runSeed is one run: faults, then healing.
func runSeed(seed uint64) *Sim {
	s := New(seed)
	s.AddAgents(4, cluster.Resources{CPU: 8000, Mem: 16 << 30, Disk: 1 << 40, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31099})})
	c := chaos{Sim: s, r: rand.New(rand.NewPCG(seed, 0xc4a05))}
	s.SetFaults(c.faults())
	for end := s.Now().Add(faultTime); s.Now() < end && s.Err() == nil; {
		s.Advance(cluster.Millis(c.r.Int64N(15_000)))
		c.act()
	}
	s.Heal()
	_ = s.Settle(settleTime) // the same as s.Err
	return s
}

// chaos is whoever uses and breaks the cluster.
type chaos struct {
	*Sim
	r    *rand.Rand
	runs int
}

// faults draws which kinds of faults this run has at all.
func (c *chaos) faults() Faults {
	some := func(most float64) float64 {
		if c.r.IntN(2) == 0 {
			return 0
		}
		return c.r.Float64() * most
	}
	return Faults{Loss: some(0.2), Duplicate: some(0.2), MaxDelay: cluster.Millis(1 + c.r.Int64N(2000)),
		TaskCrash: some(0.5), MasterCrash: some(0.02)}
}

// act does one thing.
func (c *chaos) act() {
	id := c.Sim.agents[c.r.IntN(len(c.Sim.agents))].id
	down := cluster.Millis(c.r.Int64N(60_000))
	service := cluster.ServiceID(fmt.Sprintf("s%d", c.r.IntN(3)))
	switch c.r.IntN(14) {
	case 0, 1, 2, 3:
		c.Want(core.PutService{Spec: c.service(service)})
	case 4:
		if c.services[service] {
			c.Want(core.RemoveService{Service: service})
		}
	case 5, 6:
		if c.services[service] {
			c.runs++
			c.Want(core.PutRun{Spec: cluster.RunSpec{ID: cluster.RunID(fmt.Sprintf("r%d", c.runs)), Service: service, Task: driver()}})
		}
	case 7:
		c.CrashMaster(down)
	case 8:
		c.CrashAgent(id, down)
	case 9:
		c.Reboot(id, down, c.r.IntN(2) == 0)
	case 10:
		c.Cut(id, c.r.IntN(2) == 0, c.r.IntN(2) == 0)
	case 11:
		c.Cut(id, false, false)
	case 12:
		c.KillContainer(id, c.r.IntN(5))
	case 13:
		c.killTask()
	}
}

// killTask asks for the end of some task, as an operator does.
func (c *chaos) killTask() {
	var active []cluster.TaskID
	for t := range c.View().Tasks() {
		if t.Active() {
			active = append(active, t.Spec.ID)
		}
	}
	if len(active) > 0 {
		c.Want(core.KillTask{Task: active[c.r.IntN(len(active))], Principal: "operator"})
	}
}

// service draws a spec. All of them together fit into the cluster.
func (c *chaos) service(id cluster.ServiceID) cluster.ServiceSpec {
	image := cluster.Container{Image: fmt.Sprintf("r/i@sha256:%02d", c.r.IntN(3))}
	if c.r.IntN(2) == 0 {
		image.Readiness = &cluster.Check{TCP: &cluster.TCPCheck{Port: "http"}}
	}
	task := cluster.TaskTemplate{Name: "main", Goal: cluster.GoalRunning, Container: image,
		Resources: cluster.Resources{CPU: 500, Mem: 256 << 20}, Ports: []cluster.PortSpec{{Name: "http"}}}
	head := cluster.PodSpec{Name: "head", Count: 1, Tasks: []cluster.TaskTemplate{task}}
	follower := task
	follower.Container.Env = map[string]string{"HEAD": "${pods.head[0].host}:${pods.head[0].ports.http}"}
	workers := cluster.PodSpec{Name: "worker", Count: c.r.IntN(4), Unique: c.r.IntN(2) == 0, Tasks: []cluster.TaskTemplate{follower}}
	if c.r.IntN(3) == 0 {
		workers.Tasks = append(workers.Tasks, cluster.TaskTemplate{Name: "setup", Goal: cluster.GoalOnce,
			Container: cluster.Container{Image: "r/i@sha256:99"}, Resources: cluster.Resources{CPU: 100, Mem: 64 << 20}})
	}
	spec := cluster.ServiceSpec{ID: id, Pods: []cluster.PodSpec{head, workers}}
	if c.r.IntN(2) == 0 {
		spec.Role = "eng"
	}
	if c.r.IntN(2) == 0 {
		spec.Deploy = []cluster.Phase{{Name: "head", Pod: "head"}, {Name: "worker", Pod: "worker", Strategy: cluster.Serial}}
	}
	return spec
}

func driver() cluster.TaskTemplate {
	return cluster.TaskTemplate{Name: "driver", Goal: cluster.GoalFinish, Container: cluster.Container{Image: "r/i@sha256:77"},
		Resources: cluster.Resources{CPU: 500, Mem: 256 << 20}}
}
