package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	current "github.com/containernetworking/cni/pkg/types/100"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// DefaultSubnet is that of cluster.DefaultNetwork. It is private to its
	// agent, so that all agents of a cluster may have the same.
	DefaultSubnet = "10.212.0.0/16"
	// cniVersion is of the specification that our own network is written in.
	cniVersion = "1.0.0"
	// interfaceName is that of a group's interface in its namespace.
	interfaceName = "eth0"
	// hostPlugins is where a machine's own CNI plugins are by convention, for
	// the networks of Options.CNIConfDir.
	hostPlugins = "/opt/cni/bin"
	// maxNetworkFiles and maxNetworkBytes bound what is read of Options.CNIConfDir.
	maxNetworkFiles = 64
	maxNetworkBytes = 256 << 10
	// capabilityPorts is what a plugin says that it can publish ports.
	capabilityPorts = "portMappings"
)

// portCapability is a published port as CNI's convention has it.
type portCapability struct {
	HostPort      int    `json:"hostPort"`
	ContainerPort int    `json:"containerPort"`
	Protocol      string `json:"protocol"`
}

// findNetwork gives the configuration of a network: one of the directory, which
// is read anew each time, or our own.
func (n *networks) findNetwork(name string) ([]byte, error) {
	if n.confDir != "" {
		b, err := networkIn(n.confDir, name)
		if err != nil || b != nil {
			return b, err
		}
	}
	if name != cluster.DefaultNetwork {
		return nil, fmt.Errorf("this agent has no network %q: %w", name, runner.ErrSpec)
	}
	if n.bundle == "" {
		return nil, fmt.Errorf("this agent has no CNI plugins for network %s: %w", name, runner.ErrSpec)
	}
	backend, err := firewall()
	if err != nil {
		return nil, err
	}
	if err := n.checkSubnet(); err != nil {
		return nil, err
	}
	return n.bridgeNetwork(backend)
}

// networkIn looks for a network in the CNI configurations of dir; nil: it is not there.
func networkIn(dir, name string) ([]byte, error) {
	files, err := libcni.ConfFiles(dir, []string{".conflist"})
	if err != nil {
		return nil, fmt.Errorf("CNI networks in %s: %w", dir, err)
	}
	slices.Sort(files) // the first of a name wins, as everywhere with CNI
	if len(files) > maxNetworkFiles {
		return nil, fmt.Errorf("%s has %d CNI networks, over the limit of %d", dir, len(files), maxNetworkFiles)
	}
	for _, file := range files {
		fi, err := os.Stat(file)
		if err != nil {
			return nil, fmt.Errorf("CNI network: %w", err)
		}
		if fi.Size() > maxNetworkBytes {
			return nil, fmt.Errorf("CNI network %s has %d bytes, over the limit of %d", file, fi.Size(), maxNetworkBytes)
		}
		list, err := libcni.NetworkConfFromFile(file)
		if err != nil {
			return nil, fmt.Errorf("CNI network %s: %w", file, err)
		}
		if list.Name == name {
			return list.Bytes, nil
		}
	}
	return nil, nil
}

// bridgeNetwork is our own network: a bridge that is the groups' gateway,
// addresses kept in our directory, traffic to elsewhere masqueraded, ports published.
func (n *networks) bridgeNetwork(backend string) ([]byte, error) {
	type object map[string]any
	return json.Marshal(object{
		"cniVersion": cniVersion,
		"name":       cluster.DefaultNetwork,
		"plugins": []object{{
			"type": "bridge", "bridge": n.bridge, "isGateway": true, "hairpinMode": true,
			"ipMasq": true, "ipMasqBackend": backend,
			"ipam": object{
				"type": "host-local", "dataDir": filepath.Join(n.dir, networkLeases),
				"ranges": [][]object{{{"subnet": n.subnet.String()}}},
				"routes": []object{{"dst": "0.0.0.0/0"}},
			},
		}, {
			"type": "portmap", "backend": backend, "snat": true,
			"capabilities": object{capabilityPorts: true},
		}},
	})
}

// firewall is what the plugins make rules with. nftables comes first: iptables is
// on its way out, and two programs for one table do not see each other's rules.
func firewall() (string, error) {
	for _, c := range []struct{ program, backend string }{{"nft", "nftables"}, {"iptables", "iptables"}} {
		if _, err := exec.LookPath(c.program); err == nil {
			return c.backend, nil
		}
	}
	return "", fmt.Errorf("neither nft nor iptables is on this agent's PATH, and network %s needs one: install the package nftables: %w",
		cluster.DefaultNetwork, runner.ErrSpec)
}

// checkSubnet refuses to take the route to somebody else's addresses away.
func (n *networks) checkSubnet() error {
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Name == n.bridge {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has just gone
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Masked().Overlaps(n.subnet) {
				return fmt.Errorf("subnet %s of network %s overlaps %s of interface %s: configure another subnet: %w",
					n.subnet, cluster.DefaultNetwork, p, i.Name, runner.ErrSpec)
			}
		}
	}
	return nil
}

// plugins runs the plugins of a network.
func (n *networks) plugins() *libcni.CNIConfig {
	path := []string{n.bundle, hostPlugins}
	if n.bundle == "" {
		path = path[1:]
	}
	// What a plugin has to say comes as its result.
	quiet := &invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: io.Discard}}
	return libcni.NewCNIConfigWithCacheDir(path, filepath.Join(n.dir, networkResults), quiet)
}

// runtimeConf is how the plugins are told of an attachment.
func (n *networks) runtimeConf(rec attachment) *libcni.RuntimeConf {
	conf := &libcni.RuntimeConf{
		ContainerID: n.attachmentID(rec.Group),
		NetNS:       n.namespace(rec.Group),
		IfName:      interfaceName,
	}
	if len(rec.Ports) == 0 {
		return conf
	}
	var ports []portCapability
	for _, p := range rec.Ports {
		// The port is the group's alone, whatever is spoken on it.
		for _, protocol := range []string{"tcp", "udp"} {
			ports = append(ports, portCapability{int(p.Host), int(p.Container), protocol})
		}
	}
	conf.CapabilityArgs = map[string]any{capabilityPorts: ports}
	return conf
}

// add connects the namespace of rec and gives its address.
func (n *networks) add(ctx context.Context, rec attachment) (string, error) {
	list, err := libcni.NetworkConfFromBytes(rec.Network)
	if err != nil {
		return "", err
	}
	result, err := n.plugins().AddNetworkList(ctx, list, n.runtimeConf(rec))
	if err != nil {
		return "", err
	}
	r, err := current.NewResultFromResult(result)
	if err != nil {
		return "", err
	}
	if len(r.IPs) == 0 {
		return "", errors.New("its plugins gave no address")
	}
	return r.IPs[0].Address.IP.String(), nil
}

// del undoes add, whatever part of it there is.
func (n *networks) del(ctx context.Context, rec attachment) error {
	list, err := libcni.NetworkConfFromBytes(rec.Network)
	if err != nil {
		return err
	}
	return n.plugins().DelNetworkList(ctx, list, n.runtimeConf(rec))
}

// publishes reports whether a network has a plugin that publishes ports.
func publishes(network []byte) (bool, error) {
	list, err := libcni.NetworkConfFromBytes(network)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list.Plugins, func(p *libcni.PluginConfig) bool { return p.Network.Capabilities[capabilityPorts] }), nil
}
