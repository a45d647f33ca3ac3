package names

import (
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestNames(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Task("kafka", "broker", 10, "node"), "broker-10-node.kafka.universe"},
		{Instance("kafka", "broker", 0), "broker-0.kafka.universe"},
		{Service("kafka"), "kafka.universe"},
		{Endpoint("kafka", "client"), "client.kafka.vip.universe"},
		{Agent("a1"), "a1.agents.universe"},
		{Master, "master.universe"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	for _, id := range []string{"vip", "agents", "master"} {
		if !Reserved(cluster.ServiceID(id)) {
			t.Errorf("%s is not reserved", id)
		}
	}
	if Reserved("kafka") {
		t.Error("kafka is reserved")
	}
}

func TestValid(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "0": true, "a-b": true, "a--b": true, strings.Repeat("x", MaxLabel): true,
		"": false, "-a": false, "a-": false, "A": false, "a.b": false, "_a": false, "ä": false, "a b": false, strings.Repeat("x", MaxLabel+1): false,
	} {
		if Valid(s) != want {
			t.Errorf("%q: got %t, want %t", s, !want, want)
		}
	}
}
