package render

import (
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 400 * time.Millisecond: "0.4s", 12 * time.Second: "12s", 3 * time.Second: "3s", 0: "0s",
		185 * time.Second: "3m05s", 130 * time.Minute: "2h10m", 100 * time.Hour: "4d",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
	if CPUs(1500) != "1.5" || Bytes(0) != "-" || Bytes(512<<20) != "512 MiB" {
		t.Errorf("CPUs %q, Bytes %q %q", CPUs(1500), Bytes(0), Bytes(512<<20))
	}
	if Count(1, "package") != "1 package" || Count(2, "package") != "2 packages" {
		t.Errorf("Count: %q, %q", Count(1, "package"), Count(2, "package"))
	}
}
