package cluster

import (
	"fmt"
	"path"
	"slices"
)

// DefaultNetwork is the name of the network that every agent with a bridge has.
const DefaultNetwork = "bridge"

// Network is a network namespace that the tasks of a group share. All tasks of
// the group name the same one.
type Network struct {
	Name  string        `json:"name"`            // of a network of the agent: DefaultNetwork, or a CNI network it is configured with
	Ports []PortMapping `json:"ports,omitempty"` // of all tasks of the group; by host port
}

// PortMapping makes a port of a network namespace reachable at the agent's address.
type PortMapping struct {
	Host      uint16 `json:"host"`      // on the agent; one of the group's Resources.Ports
	Container uint16 `json:"container"` // in the namespace
}

const (
	// MaxMappings bounds the ports of a Network.
	MaxMappings = 1024
	// MaxVolumeMounts bounds the volume mounts of one container.
	MaxVolumeMounts = 64
)

// Validate says what is wrong with a network by itself. Whether an agent has a
// network of that name only the agent knows.
func (n Network) Validate() error {
	if !isName(n.Name) {
		return fmt.Errorf("name %q is not a letter and up to 62 more of a-z, 0-9 and -", cut(n.Name))
	}
	if len(n.Ports) > MaxMappings {
		return fmt.Errorf("%d ports, over the limit of %d", len(n.Ports), MaxMappings)
	}
	for i, p := range n.Ports {
		switch {
		case p.Host == 0 || p.Container == 0:
			return fmt.Errorf("port %d to %d: a port is 1 to 65535", p.Host, p.Container)
		case i > 0 && n.Ports[i-1].Host >= p.Host:
			return fmt.Errorf("host port %d is there twice, or the ports are not in order of host ports", p.Host)
		}
	}
	return nil
}

// Equal reports whether two networks are the same; nil is the agent's own.
func (n *Network) Equal(o *Network) bool {
	if n == nil || o == nil {
		return n == o
	}
	return n.Name == o.Name && slices.Equal(n.Ports, o.Ports)
}

// Validate says what is wrong with a mount by itself.
func (m VolumeMount) Validate() error {
	if !isVolumeID(m.Volume) {
		return fmt.Errorf("volume %q: the id is empty, too long, or holds a slash", cut(m.Volume))
	}
	if !path.IsAbs(m.Path) || !isText(m.Path) || path.Clean(m.Path) != m.Path || m.Path == "/" {
		return fmt.Errorf("volume %q: path %q is not absolute, plain and below the root", m.Volume, cut(m.Path))
	}
	return nil
}

// ValidateVolumeMounts says what is wrong with the mounts of one container: no
// two are at one path, and no volume is mounted twice.
func ValidateVolumeMounts(ms []VolumeMount) error {
	if len(ms) > MaxVolumeMounts {
		return fmt.Errorf("%d volume mounts, over the limit of %d", len(ms), MaxVolumeMounts)
	}
	for i, m := range ms {
		if err := m.Validate(); err != nil {
			return err
		}
		for _, o := range ms[:i] {
			if o.Path == m.Path || o.Volume == m.Volume {
				return fmt.Errorf("volume %q at %s: the volume or the path is mounted already", m.Volume, m.Path)
			}
		}
	}
	return nil
}
