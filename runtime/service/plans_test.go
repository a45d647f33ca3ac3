package service_test

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// plans prints how far the plans of a service are.
func (w *world) plans(id cluster.ServiceID) {
	s, ok := service.StatusOf(w.now, w.state.View(), id)
	if !ok {
		fmt.Fprintln(w.out, "no such service")
		return
	}
	for _, p := range s.Plans {
		fmt.Fprintf(w.out, "%s %s", p.Name, p.Status)
		if p.WhyText != "" {
			fmt.Fprintf(w.out, ": %s", p.WhyText)
		}
		fmt.Fprintln(w.out)
		for _, ph := range p.Phases {
			fmt.Fprintf(w.out, "  %s %s %s\n", ph.Name, ph.Strategy, ph.Status)
			for _, st := range ph.Steps {
				fmt.Fprintf(w.out, "    %s %s %s", st.Kind, st.Name, st.Status)
				if st.Tries > 0 {
					fmt.Fprintf(w.out, " tries=%d", st.Tries)
				}
				if st.Forced {
					fmt.Fprint(w.out, " forced")
				}
				if st.WhyText != "" {
					fmt.Fprintf(w.out, ": %s", st.WhyText)
				}
				fmt.Fprintln(w.out)
			}
		}
	}
	for _, n := range s.Notices {
		fmt.Fprintf(w.out, "notice: %s\n", n)
	}
	for _, e := range s.Exports {
		fmt.Fprintf(w.out, "export %s=%q known=%t\n", e.Name, e.Value, e.Known)
	}
}
