// Package fetch brings a task's artifacts to its sandbox, by
// hashicorp/go-getter: files and archives over HTTP and from S3, git
// repositories, and files of the agent's machine where that is allowed.
//
// A source is hostile, and so may be what it sends. Each is therefore fetched
// by a child process of its own (the same program again), which gives
// up root, has a mount namespace in which /tmp is the directory that it fills,
// gets nothing of the agent's environment (no credentials, no proxies), and is
// killed when its time or its room is used up. HTTP connections to link-local
// addresses, where clouds serve credentials of the machine, are refused.
//
// A checksum is of the file or the archive as it is sent. A git source is as
// good as one with a checksum when its ref is a whole commit id.
package fetch
