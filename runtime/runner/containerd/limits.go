package containerd

import (
	"os"

	"github.com/containerd/cgroups/v3"
	"golang.org/x/sys/unix"
)

const (
	// wantFiles is the open files a task may have where the machine allows it:
	// what Kafka and Cassandra ask for.
	wantFiles = 100_000
	// cpuPeriod is the CFS period in microseconds, for Options.Quota.
	cpuPeriod = 100_000
	// sharesPerCPU is the CPU weight of one core, as the kernel counts it.
	sharesPerCPU = 1024
	// minShares is the kernel's least CPU weight.
	minShares = 2
)

// maxFiles is the limit on open files we can give: raising it over our own hard
// limit needs CAP_SYS_RESOURCE, which an agent does not always have.
func maxFiles() uint64 {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 1024
	}
	return min(lim.Max, wantFiles)
}

// accountsSwap reports whether a limit on memory and swap together can be set.
// Without it a limit on memory alone is all the kernel offers.
func accountsSwap() bool {
	if cgroups.Mode() == cgroups.Unified {
		return true
	}
	_, err := os.Stat("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
	return err == nil
}
