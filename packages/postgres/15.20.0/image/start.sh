#!/bin/sh
# Runs the server and ends with its exit code. SIGTERM asks PostgreSQL to wait until all clients
# have left; SIGINT ends their sessions and stops cleanly, which is what a stop of the task means.
set -u
server=
stopping=
trap 'stopping=1; [ -z "$server" ] || kill -INT "$server"' TERM INT
/usr/lib/postgresql/15/bin/postgres "$@" &
server=$!
[ -z "$stopping" ] || kill -INT "$server"
# A signal ends wait early: only a server that is gone has told its exit code.
while :; do
  wait "$server"
  code=$?
  kill -0 "$server" 2>/dev/null || exit "$code"
done
