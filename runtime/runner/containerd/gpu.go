package containerd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/pkg/oci"

	"github.com/universe-dcos/universe/runtime/runner"
)

// labelGPUs holds the devices that a container has, separated by commas.
const labelGPUs = "universe/gpus"

// findGPUs gives the GPU devices of the machine.
func findGPUs() []string {
	all, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is constant and legal
	return all
}

// sharedGPU are the devices that every user of a GPU of NVIDIA's needs.
var sharedGPU = []string{"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"}

// takeGPUs reserves n devices for a start; release is called when the container
// has its label, or never will.
func (r *Runner) takeGPUs(ctx context.Context, n int64) (devices []string, release func(), err error) {
	if n <= 0 {
		return nil, func() {}, nil
	}
	all, err := r.client.ContainerService().List(ctx)
	if err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	used := map[string]bool{}
	for d := range r.gpus {
		used[d] = true
	}
	for _, c := range all {
		if _, ended := readExit(c.Labels); ended {
			continue
		}
		for _, d := range strings.Split(c.Labels[labelGPUs], ",") {
			used[d] = true
		}
	}
	for _, d := range r.opts.GPUs {
		if !used[d] && int64(len(devices)) < n {
			devices = append(devices, d)
		}
	}
	if int64(len(devices)) < n {
		return nil, nil, fmt.Errorf("%d gpus are wanted, and %d of the %d devices here are free: %w",
			n, len(devices), len(r.opts.GPUs), runner.ErrSpec)
	}
	for _, d := range devices {
		r.gpus[d] = struct{}{}
	}
	return devices, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, d := range devices {
			delete(r.gpus, d)
		}
	}, nil
}

// withGPUs puts the devices into the container.
func withGPUs(devices []string) []oci.SpecOpts {
	var opts []oci.SpecOpts
	paths := slices.Clone(devices)
	if len(devices) > 0 && strings.HasPrefix(devices[0], "/dev/nvidia") {
		for _, d := range sharedGPU {
			if matches, _ := filepath.Glob(d); len(matches) > 0 {
				paths = append(paths, d)
			}
		}
	}
	for _, d := range paths {
		opts = append(opts, oci.WithDevices(d, "/dev/"+filepath.Base(d), "rwm"))
	}
	return opts
}
