#!/usr/bin/env bash
# The main job, end to end, on real parts: packages are built and published,
# Spark is installed by one command on two agents and computes Pi, a worker is
# killed and replaced, everything is taken away again. Root is needed: network
# namespaces, mounts and cgroups are root's to make. `make demo` builds what
# this script uses.
#
#   examples/demo.sh           the whole
#   examples/demo.sh --short   the same with a smaller job, for tests
set -euo pipefail
cd "$(dirname "$0")/.."

slices=200
[ "${1:-}" = "--short" ] && slices=20

root=$PWD
work=$root/.build/demo
bundle=$root/.build/bundle
export PATH=$root/.build/bin:$PATH
export DCOS_CONFIG_HOME=$work/dcos
unset DCOS_URL DCOS_CLUSTER DCOS_OUTPUT
names=() times=()
dev= began=$EPOCHREALTIME

bold() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}'; }

# step NAME COMMAND...: a headline, the command, its time
step() {
  local name=$1 at=$EPOCHREALTIME
  shift
  bold "$name"
  "$@"
  names+=("$name") times+=("$(since "$at")")
}

# say COMMAND...: as a person would type it
say() {
  printf '$ %s\n' "$*"
  "$@"
}

fail() {
  printf '\nFAIL: %s\n' "$*" >&2
  exit 1
}

finish() {
  local code=$?
  trap - EXIT
  if [ -n "$dev" ] && kill -0 "$dev" 2>/dev/null; then
    kill -TERM "$dev" && wait "$dev" || true
  fi
  if [ "$code" -ne 0 ]; then
    [ -d "$work" ] && universe dev --clean --dir "$work" >&2 || true
    printf '\nThe demo did not pass. Logs are kept in %s\n' ".build/demo/logs" >&2
    tail -n 15 "$work"/logs/*.log >&2 2>/dev/null || true
  fi
  exit "$code"
}

free_port() {
  local port
  for port in $(seq 18080 18180); do
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  fail "no free port between 18080 and 18180"
}

# ours: what of the demo is on the machine: processes, mounts, namespaces, interfaces, cgroups
ours() {
  local tag=$1 pid
  for pid in /proc/[0-9]*; do
    if { tr '\0' ' ' <"$pid/cmdline"; } 2>/dev/null | grep -qF -e "$work" -e "/run/universe/$tag"; then
      [ "${pid#/proc/}" = "$$" ] || [ "${pid#/proc/}" = "$BASHPID" ] || echo "process ${pid#/proc/}: $({ tr '\0' ' ' <"$pid/cmdline" | cut -c1-100; } 2>/dev/null)"
    fi
  done
  grep -F -e "$work" -e "/run/universe/$tag" /proc/mounts | awk '{print "mount " $2}' || true
  for ns in /run/netns/uv-"$tag"-*; do [ -e "$ns" ] && echo "network namespace ${ns##*/}"; done
  for link in /sys/class/net/uv"$tag"*; do [ -e "$link" ] && echo "interface ${link##*/}"; done
  find /sys/fs/cgroup -maxdepth 2 -name "universe-$tag-*" -printf 'cgroup %p\n' 2>/dev/null || true
  return 0
}

start_cluster() {
  rm -rf "$work"
  mkdir -p "$work/out"
  mkfifo "$work/out/ready"
  printf '$ universe dev --agents 2\n'
  universe dev --agents 2 --dir "$work" --bundle "$bundle" --listen "127.0.0.1:$(free_port)" >"$work/out/ready" 2>"$work/out/dev.log" &
  dev=$!
  # The greeting comes when master and agents are up; the pipe ends when dev does.
  exec 3<"$work/out/ready"
  local line
  while IFS= read -r line <&3; do
    printf '%s\n' "$line"
    case "$line" in Stop*) return ;; esac
  done
  cat "$work/out/dev.log" >&2
  fail "the cluster did not start"
}

publish() {
  say dcos package publish packages/nginx
  say dcos package publish packages/spark
}

look_around() {
  say dcos package search
  say dcos package describe spark
}

install_spark() { say dcos package install spark --yes; }
install_nginx() { say dcos package install nginx --yes; }

run_pi() {
  say dcos spark run pi "$slices" | tee "$work/out/pi"
  grep -q 'Pi is roughly 3\.1' "$work/out/pi" || fail "Pi was not printed"
  grep -q 'Executors: 2 ' "$work/out/pi" || fail "not both workers computed"
}

state() {
  say dcos package list
  say dcos service list
  say dcos task list
  say dcos node list
  local worker
  worker=$(dcos task list -o json | python3 -c 'import json,sys; print([t["spec"]["id"] for t in json.load(sys.stdin)["items"] if t["spec"].get("pod") == "worker"][0])')
  say dcos task log "$worker" --lines 3
}

# worker_pids: the workers' processes on this machine, told by their network namespaces
worker_pids() {
  local tag=$1 ns pid
  for ns in /run/netns/uv-"$tag"-*; do
    for pid in /proc/[0-9]*; do
      [ "$(stat -Lc %i "$pid/ns/net" 2>/dev/null)" = "$(stat -Lc %i "$ns")" ] || continue
      { tr '\0' ' ' <"$pid/cmdline"; } 2>/dev/null | grep -q 'deploy\.worker\.Worker' && echo "${pid#/proc/}"
    done
  done
  return 0
}

running_workers() {
  dcos task list -o json | python3 -c '
import json, sys
for t in json.load(sys.stdin)["items"]:
    if t["spec"].get("pod") == "worker" and t["status"]["state"] == "TASK_RUNNING" and t["status"]["ready"]:
        print(t["spec"]["id"])' | sort
}

kill_worker() {
  local tag=$1 before pid i
  before=$(running_workers)
  read -r pid _ <<<"$(worker_pids "$tag" | tr '\n' ' ')"
  [ -n "$pid" ] || fail "no worker process was found"
  printf '$ kill -9 %s   # the container of a worker\n' "$pid"
  kill -9 "$pid"
  for i in $(seq 240); do
    local now
    now=$(running_workers)
    if [ "$now" != "$before" ] && [ "$(wc -l <<<"$now")" -eq 2 ]; then
      echo "replaced: $(comm -13 <(echo "$before") <(echo "$now"))"
      return
    fi
    sleep 0.5
  done
  fail "the worker was not replaced within two minutes"
}

pages() {
  local url
  url=$(dcos cluster list -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["items"][0]["url"])')
  for page in / /packages/spark /services/spark; do
    curl -fsS -o "$work/out/page.html" -w "GET $page  %{http_code}  %{size_download} bytes\n" "$url$page"
    grep -qi spark "$work/out/page.html" || fail "page $page does not speak of Spark"
  done
}

uninstall() {
  say dcos package uninstall spark --yes
  say dcos package uninstall nginx --yes
  say dcos task list
  [ "$(dcos task list -o json | python3 -c 'import json,sys; print(len(json.load(sys.stdin)["items"]))')" = 0 ] || fail "tasks are left"
}

stop_cluster() {
  kill -TERM "$dev"
  wait "$dev" || { cat "$work/out/dev.log" >&2; fail "the cluster did not end cleanly"; }
  dev=
  exec 3<&-
  local left
  left=$(ours "$1")
  [ -z "$left" ] || fail "left behind:"$'\n'"$left"
  echo "no process, mount, namespace, interface or cgroup is left"
  rm -rf "$work"
}

main() {
  [ "$(id -u)" -eq 0 ] || fail "run it as root: it makes network namespaces, mounts and cgroups"
  trap finish EXIT
  cat <<TEXT
This demo starts a cluster of one master and two agents on this machine, each
agent in a network namespace with its own containerd; builds and publishes the
packages nginx and spark; installs Spark, computes Pi, kills a worker, computes
again; and takes everything away. It writes to .build and to the cache of
downloads. The first run fetches about 0.5 GB and takes some minutes.
TEXT
  [ -d "$work" ] && universe dev --clean --dir "$work" >/dev/null
  step "1 Start a cluster" start_cluster
  local tag
  tag=$(awk '$1 == "tag:" {gsub(/"/, "", $2); print $2}' "$work/dev.yaml")
  step "2 Build and publish two packages" publish
  step "3 Look around" look_around
  step "4 Install Spark" install_spark
  step "5 Compute Pi" run_pi
  step "6 Install nginx" install_nginx
  step "7 See what runs" state
  step "8 See the site" pages
  step "9 Kill a worker" kill_worker "$tag"
  step "10 Compute Pi again" run_pi
  step "11 Uninstall" uninstall
  step "12 Stop the cluster" stop_cluster "$tag"

  bold "PASS"
  local i
  for i in "${!names[@]}"; do printf '  %-36s %7s s\n' "${names[$i]}" "${times[$i]}"; done
  printf '  %-36s %7s s\n' "in all" "$(since "$began")"
}

main "$@"
