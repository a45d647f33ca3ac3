package service_test

import (
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// BenchmarkDeploy brings 1,000 instances up on 100 agents, from the spec to the
// end of its plan: all steps, all commands, a report for each task. With volumes
// each has a place first. There is no log and there are no agents.
func BenchmarkDeploy(b *testing.B) {
	for _, placed := range []bool{false, true} {
		b.Run(fmt.Sprintf("placed=%t", placed), func(b *testing.B) {
			spec := benchSpec("web", 1000)
			if placed {
				spec.Pods[0].Volumes = []cluster.VolumeSpec{{Name: "data", Size: 1 << 20, Path: "/data"}}
			}
			for b.Loop() {
				b.StopTimer()
				d := &deployment{state: core.New(), role: "*"}
				d.register(100, &spec)
				b.StartTimer()
				d.state.Apply(0, core.PutService{Spec: spec})
				for n := 0; d.state.View().Service("web").Changing(); n++ {
					if d.step(); n > 100 {
						b.Fatal("it does not end")
					}
				}
			}
			name := "deploy.1000"
			if placed {
				name = "deploy_placed.1000"
			}
			fmt.Fprintf(b.Output(), "figure %s %.3f s\n", name, b.Elapsed().Seconds()/float64(b.N))
		})
	}
}

// deployment is a service on its way, with the framework's calls applied as they come.
type deployment struct {
	state  *core.State
	memory service.Stepper
	role   cluster.Role
}

func (d *deployment) register(agents int, spec *cluster.ServiceSpec) {
	if len(spec.Pods[0].Volumes) > 0 {
		d.role = cluster.PlaceRole(spec)
	}
	d.state.Apply(0, core.PutFramework{Framework: cluster.Framework{ID: service.Framework, Roles: []cluster.Role{d.role}}})
	for i := range agents {
		d.state.Apply(0, core.RegisterAgent{Boot: "b", Agent: cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%03d", i)), Host: fmt.Sprintf("10.0.0.%d", i),
			Total: cluster.Resources{CPU: 16_000, Mem: 64 << 30, Disk: 1 << 40, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})}}})
	}
}

func (d *deployment) step() {
	view := d.state.View()
	offers := map[cluster.OfferID]cluster.Offer{}
	var list []cluster.Offer
	for a := range view.Agents() {
		free := a.FreePool()
		o := cluster.Offer{ID: cluster.OfferID(a.Info.ID), Agent: a.Info, Framework: service.Framework, Role: d.role, Resources: free.Open, Reserved: free.Reserved.For(d.role)}
		offers[o.ID], list = o, append(list, o)
	}
	for _, call := range d.memory.Step(0, view, list).Calls {
		switch c := call.(type) {
		case sched.Accept:
			o := offers[c.Offers[0]]
			d.state.Apply(0, core.AcceptOffers{Framework: service.Framework, Role: d.role, Agent: o.Agent.ID, Offered: o.Resources, OfferedReserved: o.Reserved,
				Tasks: c.Tasks, Operations: c.Operations, Places: c.Places, AllOrNone: len(c.Places) > 0})
		case sched.Settle:
			d.state.Apply(0, core.SettleService{Service: c.Service, Generation: c.Generation})
		}
	}
	for t := range d.state.View().Tasks() {
		if t.Status.State == cluster.TaskStaging {
			report(d.state, t, 1)
		}
	}
}
