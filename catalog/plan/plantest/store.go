package plantest

import (
	"fmt"
	"testing/fstest"

	"github.com/universe-dcos/universe/catalog/spec"
)

// Store is the source of a package that keeps data: a pod of three nodes with a
// volume and one of a front, an update plan with a gate, an endpoint and an
// export. more is appended to package.yaml.
func Store(name, version, more string) fstest.MapFS {
	return fstest.MapFS{
		spec.FilePackage: {Data: fmt.Appendf(nil, "name: %s\nversion: %q\nsummary: The package %s\n%s", name, version, name, more)},
		spec.FileSchema: {Data: []byte(`{"type": "object", "properties": {
			"node": {"type": "object", "properties": {
				"count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
				"mem": {"type": "integer", "minimum": 64, "default": 512},
				"disk": {"type": "integer", "default": 100},
				"level": {"type": "string", "default": "info"}}},
			"front": {"type": "object", "properties": {
				"count": {"type": "integer", "minimum": 0, "maximum": 9, "default": 1}}}}}`)},
		spec.FileService: {Data: []byte(`
pods:
  - name: node
    count: "${options.node.count}"
    volumes: [{name: data, size: "${options.node.disk}", path: /data}]
    tasks:
      - name: node
        image: main
        command: [/bin/node]
        env: {LEVEL: "${options.node.level}"}
        resources: {cpus: 0.5, mem: "${options.node.mem}"}
        ports: [{name: client}]
  - name: front
    count: "${options.front.count}"
    tasks:
      - name: front
        image: main
        command: [/bin/front]
        resources: {cpus: 0.1, mem: 64}
plans:
  deploy:
    phases: [{name: nodes, pod: node}, {name: front, pod: front}]
  update:
    phases:
      - {name: nodes, pod: node, gate: check}
      - {name: front, pod: front, strategy: parallel-canary}
endpoints: [{name: client, pod: node, task: node, port: client}]
exports: {uri: "${dns('node', 0, 'node')}"}
actions:
  - {name: check, task: {image: main, resources: {cpus: 0.1, mem: 64}}}
`)},
		spec.DirImages + "/main.yaml": {Data: []byte("platform: linux/amd64\n")},
	}
}
