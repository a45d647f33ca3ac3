// Package names says how things of a cluster are called in DNS. It is pure, so
// that packages are rendered and services stepped with the same words that the
// name server answers to.
//
// Names are below Domain, are not case-sensitive, and are written here without
// the dot at the end:
//
//	broker-0-node.kafka.universe          a task of an instance of a pod
//	broker-0.kafka.universe               the instance
//	kafka.universe                        the instances that are ready
//	_client._tcp.broker-0-node.kafka.universe   SRV: a named port of a task
//	_client._tcp.kafka.universe           SRV: an endpoint, of the instances that are ready
//	client.kafka.vip.universe             the virtual address of an endpoint
//	a1.agents.universe                    an agent
//	master.universe                       the master
package names

import (
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// Domain is what all names are below.
	Domain = "universe"
	// Master is the name of the master, and of the zone's name server.
	Master = "master." + Domain

	// No service has names of its own under these labels.
	AgentsLabel = "agents" // agents are below it
	VIPLabel    = "vip"    // virtual addresses are below it
	MasterLabel = "master" // the master itself

	// MaxLabel bounds one part of a name, in bytes (RFC 1035 §2.3.4).
	MaxLabel = 63
)

// Instance is the name of an instance of a pod.
func Instance(service cluster.ServiceID, pod string, index int) string {
	return InstanceLabel(pod, index) + "." + Service(service)
}

// InstanceLabel is the first label of Instance.
func InstanceLabel(pod string, index int) string { return pod + "-" + strconv.Itoa(index) }

// Task is the name of a task of an instance of a pod.
func Task(service cluster.ServiceID, pod string, index int, task string) string {
	return TaskLabel(pod, index, task) + "." + Service(service)
}

// TaskLabel is the first label of Task.
func TaskLabel(pod string, index int, task string) string {
	return pod + "-" + strconv.Itoa(index) + "-" + task
}

// Service is the name of a service.
func Service(service cluster.ServiceID) string { return string(service) + "." + Domain }

// Endpoint is the name of the virtual address of an endpoint.
func Endpoint(service cluster.ServiceID, endpoint string) string {
	return endpoint + "." + string(service) + "." + VIPLabel + "." + Domain
}

// Agent is the name of an agent.
func Agent(id cluster.AgentID) string { return string(id) + "." + AgentsLabel + "." + Domain }

// Reserved reports whether a service of that id would have no names: it is one
// of AgentsLabel, VIPLabel and MasterLabel.
func Reserved(service cluster.ServiceID) bool {
	return service == AgentsLabel || service == VIPLabel || service == MasterLabel
}

// Valid reports whether s is one part of a host name: 1 to MaxLabel bytes of
// a-z, 0-9 and -, with none of - at its ends (RFC 1123 §2.1).
func Valid(s string) bool {
	if s == "" || len(s) > MaxLabel || strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
