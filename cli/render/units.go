package render

import (
	"fmt"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// CPUs prints thousandths of a core: "1.5".
func CPUs(milli int64) string { return fmt.Sprintf("%g", float64(milli)/1000) }

// Bytes prints an amount of bytes with a binary unit, "-" for none.
func Bytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return cluster.Bytes(n)
}

// Duration prints d shortly: "0.4s", "3s", "12s", "3m05s", "2h10m", "4d".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Count prints n with its noun: "1 package", "2 packages". The plural is the
// noun with an s.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
