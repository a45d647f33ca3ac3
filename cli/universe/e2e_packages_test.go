package main

import (
	"context"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packagesTest asks for the tests that take minutes: make packages-test.
var packagesTest = flag.Bool("packages", false, "run Kafka and Cassandra on four agents, for minutes")

func newPackagesE2E(t *testing.T) *e2e {
	t.Helper()
	if !*packagesTest {
		t.Skip("takes minutes: make packages-test")
	}
	return newE2EOf(t, 4)
}

// behind starts a command line and gives a function that waits for its end,
// which must be a good one.
func (e *e2e) behind(args ...string) (wait func() string) {
	e.t.Helper()
	cmd := exec.Command(filepath.Join(e.bin, "dcos"), args...)
	cmd.Env = e.env()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	return func() string {
		e.t.Helper()
		if err := cmd.Wait(); err != nil {
			e.t.Errorf("dcos %s: %v\n%s", strings.Join(args, " "), err, out.String())
		}
		return out.String()
	}
}

// TestPackages_kafka upgrades three brokers while somebody produces, goes back,
// goes forward again, and closes the way back.
func TestPackages_kafka(t *testing.T) {
	e := newPackagesE2E(t)
	e.dcos("package", "publish", "../../packages/kafka/3.9.2")
	e.dcos("package", "publish", "../../packages/kafka/4.3.1")
	e.install("kafka", "3.9.2", `{"brokers": {"mem": 640, "disk": 1024}, "kafka": {"offsets_topic_num_partitions": 3}}`)
	e.dcos("kafka", "topic", "create", "numbers", "3")
	e.dcos("kafka", "fill", "numbers", "10000")
	e.numbers("numbers", 10000)

	// One broker loses its place and its data, and copies them from the others.
	before := e.running("kafka", "kafka", 1, "broker")
	e.dcos("service", "replace", "kafka", "kafka-1", "--yes")
	if now := e.running("kafka", "kafka", 1, "broker"); now.Spec.ID == before.Spec.ID {
		t.Errorf("broker 1 was not replaced: %s on %s", now.Spec.ID, now.Agent)
	}
	e.numbers("numbers", 10000)

	e.dcos("kafka", "topic", "create", "live", "3")
	const live = 12000
	produced := e.behind("kafka", "fill", "live", "12000", "200")
	e.dcos("package", "upgrade", "kafka", "--yes")
	produced()
	e.numbers("live", live)

	e.dcos("package", "rollback", "kafka", "--yes")
	e.numbers("numbers", 10000)
	e.dcos("package", "upgrade", "kafka", "--yes")
	e.dcos("service", "plan", "start", "kafka", "finalize")
	e.dcos("service", "plan", "confirm", "kafka", "finalize", "features", "finalize", "--yes")
	e.until("the features of 4.3 are in use", func(context.Context) (bool, string) {
		line := metadataLine(e.dcos("kafka", "features"))
		return strings.Contains(line, "FinalizedVersionLevel: 4.3"), line
	})
	e.refused("finalize", "package", "rollback", "kafka", "--yes")
	e.numbers("live", live)
	e.dcos("package", "uninstall", "kafka", "--yes")
	e.nothingKept()
}

// metadataLine is the line of Kafka's metadata version among its features.
func metadataLine(features string) string {
	for line := range strings.Lines(features) {
		if strings.Contains(line, "metadata.version") {
			return line
		}
	}
	return ""
}

// TestPackages_cassandra reads and writes at QUORUM while one of three nodes
// starts again, and brings them to the next release with their data.
func TestPackages_cassandra(t *testing.T) {
	e := newPackagesE2E(t)
	e.dcos("package", "publish", "../../packages/cassandra/4.1.10")
	e.dcos("package", "publish", "../../packages/cassandra/5.0.9")
	e.install("cassandra", "4.1.10", `{"nodes": {"mem": 1024, "disk": 1024}}`)
	e.dcos("cassandra", "cqlsh", "CREATE KEYSPACE app WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}; "+
		"CREATE TABLE app.kept (k int PRIMARY KEY, v text); CONSISTENCY QUORUM; INSERT INTO app.kept (k, v) VALUES (1, 'forty-two')")
	kept := func(after string) {
		t.Helper()
		if out := e.dcos("cassandra", "cqlsh", "CONSISTENCY QUORUM; SELECT v FROM app.kept WHERE k = 1"); !strings.Contains(out, "forty-two") {
			t.Fatalf("%s the row is not there:\n%s", after, out)
		}
	}
	kept("at first")
	e.dcos("service", "restart", "cassandra", "node-2", "--no-wait", "--yes")
	e.dcos("cassandra", "cqlsh", "CONSISTENCY QUORUM; UPDATE app.kept SET v = 'forty-two' WHERE k = 1")
	kept("with one node starting")
	e.dcos("service", "watch", "cassandra", "--timeout", "5m")
	if out := e.dcos("task", "exec", string(e.running("cassandra", "node", 0, "server").Spec.ID), "nodetool", "status"); strings.Count(out, "\nUN ") != 3 {
		t.Errorf("not all nodes are up and normal:\n%s", out)
	}
	e.dcos("package", "upgrade", "cassandra", "--yes")
	kept("after the upgrade")
	if out := e.dcos("cassandra", "cqlsh", "SELECT release_version FROM system.local"); !strings.Contains(out, "5.0.9") {
		t.Errorf("the node is not upgraded:\n%s", out)
	}
	e.dcos("package", "uninstall", "cassandra", "--yes")
	e.nothingKept()
}
