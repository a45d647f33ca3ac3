#!/bin/sh
# Builds the pinned container tools into OUTDIR: containerd with its runc shim and
# ctr, runc, and the CNI plugins bridge, loopback, host-local and portmap.
#
#   build.sh OUTDIR
#
# The versions are those of go.mod and go.sum beside this script. A second call for
# the same go.mod, go.sum, script and Go version does nothing. The same inputs give
# the same bytes for everything but runc, which also contains the libseccomp and
# libc of this machine.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: build.sh OUTDIR" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

# runc links libseccomp statically: it needs a C compiler, the static library and
# the description of it that pkg-config reads.
debian_packages="gcc libc6-dev libseccomp-dev pkg-config"
# What we leave out: the CRI server, storage drivers that need C libraries or kernel
# features we do not use, and the tracing exporter.
tags="no_cri no_btrfs no_devmapper no_zfs no_tracing"

names="containerd containerd-shim-runc-v2 ctr bridge loopback host-local portmap runc"

fail() {
    echo "build.sh: $1" >&2
    shift
    for line in "$@"; do echo "  $line" >&2; done
    exit 1
}

command -v go >/dev/null 2>&1 || fail "the go command is not on PATH" "install Go as go.mod of the repository asks for"
missing=""
for tool in gcc pkg-config; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -z "$missing" ] && ! pkg-config --exists libseccomp; then
    missing=" libseccomp"
fi
if [ -n "$missing" ]; then
    fail "missing:$missing" "install them with: apt-get install --no-install-recommends $debian_packages"
fi

export GOTOOLCHAIN=local GOWORK=off GOFLAGS="-mod=readonly -buildvcs=false"

# Stamp: what was built, so that an unchanged bundle is not built again.
stamp=$(cd "$here" && { cat go.mod go.sum build.sh; go env GOVERSION GOOS GOARCH; pkg-config --modversion libseccomp; } | sha256sum | cut -d' ' -f1)
if [ -r "$out/.stamp" ] && [ "$(cat "$out/.stamp")" = "$stamp" ]; then
    complete=yes
    for name in $names; do [ -x "$out/$name" ] || complete=no; done
    if [ $complete = yes ]; then
        echo "bundle: up to date in $out"
        exit 0
    fi
fi
rm -f "$out/.stamp"

begin=$(date +%s)
# Built in a folder of their own and moved at the end: a build that is cut off leaves
# the old binaries whole.
work=$(mktemp -d "$out/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

cd "$here"
# build TAGS LDFLAGS PACKAGE: one binary, named by the last element of its path.
build() {
    name=${3##*/}
    t0=$(date +%s)
    go build -trimpath -tags "$1" -ldflags "$2" -o "$work/$name" "$3" || fail "$name did not build" "the command was: go build -tags '$1' $3"
    echo "bundle: $name $(($(date +%s) - t0)) s $(wc -c <"$work/$name") bytes"
}

export CGO_ENABLED=0
for pkg in containerd containerd-shim-runc-v2 ctr; do
    build "$tags" "-s -w -buildid=" "github.com/containerd/containerd/v2/cmd/$pkg"
done
for pkg in main/bridge main/loopback ipam/host-local meta/portmap; do
    build "" "-s -w -buildid=" "github.com/containernetworking/plugins/plugins/$pkg"
done
# Without the tag seccomp every container that asks for a profile fails to start.
export CGO_ENABLED=1
build "seccomp netgo osusergo" "-s -w -buildid= -extldflags -static" github.com/opencontainers/runc

for name in $names; do mv -f "$work/$name" "$out/$name"; done
echo "$stamp" >"$out/.stamp"
total=0
for name in $names; do total=$((total + $(wc -c <"$out/$name"))); done
echo "bundle: $((total / 1000000)) MB in $out, $(($(date +%s) - begin)) s"
