// Package volume keeps the data of persistent volumes on an agent: a directory
// each, which outlives the tasks that mount it.
//
//	<dir>/<SHA-256 of the role>/<volume id>/volume.json   which volume it is
//	<dir>/<SHA-256 of the role>/<volume id>/data          what tasks see
//	<dir>/.new, <dir>/.trash                              volumes half made, and those that go
//
// A volume comes and goes by one rename, so that a crash leaves it whole or
// not there. Nothing above data is open to tasks, and no link is followed out
// of the store (os.Root).
package volume
