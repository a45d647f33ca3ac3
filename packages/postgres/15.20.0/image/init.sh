#!/bin/sh
# Makes the database once. It is made beside its place and then moved there, so that a volume
# holds a whole database or none.
set -eu
cd /var/lib/postgresql
if [ -d data ]; then
  exit 0
fi
/usr/bin/busybox rm -rf data.new
/usr/lib/postgresql/15/bin/initdb --pgdata data.new --username postgres --auth trust \
  --encoding UTF8 --locale C.UTF-8 --data-checksums --no-instructions
/usr/bin/busybox mv data.new data
