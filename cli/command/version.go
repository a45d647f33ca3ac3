package command

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionInfo is what this program is built from.
type versionInfo struct {
	Version  string `json:"version"`            // of the module, "dev" for a build of a working tree
	Revision string `json:"revision,omitempty"` // of the source
	Modified bool   `json:"modified,omitempty"` // the source differed from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) version() (v versionInfo) {
	v = versionInfo{Version: a.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	defer func() { v.Version = cmp.Or(v.Version, "dev") }()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if m := info.Main.Version; v.Version == "" && m != "(devel)" {
		v.Version = m
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this program", Args: args(),
		RunE: func(*cobra.Command, []string) error {
			v := a.version()
			return a.object("Version", v, v.Version, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "dcos %s (%s, %s)\n", v.Version, v.Go, v.Platform)
				return err
			})
		},
	}
}
