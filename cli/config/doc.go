// Package config is what the command line knows of itself between two runs:
// which clusters there are and which one is attached. It is one TOML file,
//
//	attached = "dev"
//
//	[clusters.dev]
//	url = "http://127.0.0.1:8080"
//	registry = "127.0.0.1:5000/universe"
//
// in $DCOS_CONFIG_HOME, else $XDG_CONFIG_HOME/dcos, else ~/.config/dcos. People
// may edit it. Programs change it through Update, which takes a lock and
// replaces the file at once, so that `universe dev` and `dcos` do not undo each
// other's changes.
package config
