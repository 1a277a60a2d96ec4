#!/bin/sh
# The same load against each server in turn; see README.md. STREAMS, RATE and SECONDS change the load.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
server=$root/target/release/streamgauge
out=$(mktemp -d)
# Its PostgreSQL is run by another user where this is run by root.
chmod o+x "$out"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$out"' EXIT INT TERM
ulimit -n "$(ulimit -Hn)"

load() { # name port pid session-count streams rate option...
  name=$1 port=$2 pid=$3 sessions=$4 streams=$5 rate=$6
  shift 6
  "$server" loadtest burst --url "http://127.0.0.1:$port" --server-pid "$pid" --no-post --json "$out/$name.json" \
    --sessions "$sessions" --streams "$streams" --rate "$rate" --duration "${SECONDS_OF_LOAD:-20}s" --arrivals 500 \
    "$@" >"$out/$name.txt" 2>&1 || true
  python3 "$here/row.py" "$name" "$out/$name.json" || cat "$out/$name.txt"
}

measure() { # name port pid
  # 30,000 deliveries a second: 10 followers a session, and then 100.
  load "$1-10" "$2" "$3" 50 500 60
  load "$1-100" "$2" "$3" 5 500 60
  # 80,000 a second.
  load "$1-100-fast" "$2" "$3" 10 1000 80
}

wait_for() { # port
  for _ in $(seq 100); do curl -sf "http://127.0.0.1:$1/readyz" >/dev/null && return; sleep 0.1; done
  echo "nothing answers on port $1" >&2
  return 1
}

python3 "$here/row.py"
"$server" serve --listen 127.0.0.1:4100 --data-dir "$out/data" >"$out/streamgauge.log" 2>&1 &
pid=$!
wait_for 4100
measure streamgauge 4100 $pid
# As a back end does that reports for all its sessions at once; none of the peers takes that.
load streamgauge-10-batched 4100 $pid 50 500 60 --batch 10ms
load streamgauge-100-batched 4100 $pid 5 500 60 --batch 10ms
kill $pid
wait $pid 2>/dev/null || true

if command -v nginx >/dev/null && [ -e /usr/lib/nginx/modules/ngx_nchan_module.so ]; then
  mkdir -p "$out/nginx" && cp "$here/nchan.conf" "$out/nginx/nginx.conf" && ln -sf /usr/lib/nginx/modules "$out/nginx/modules"
  nginx -p "$out/nginx/" -c nginx.conf -g 'daemon off;' &
  pid=$!
  wait_for 4101
  measure nchan 4101 $pid
  kill $pid
  wait $pid 2>/dev/null || true
else
  echo "nchan: not installed, left out"
fi

if "${PYTHON:-python3}" -c 'import fastapi, sse_starlette, uvicorn' 2>/dev/null; then
  (cd "$here" && exec "${PYTHON:-python3}" -m uvicorn fastapi_peer:app --port 4102 --log-level error) &
  pid=$!
  wait_for 4102
  measure fastapi 4102 $pid
  kill $pid
else
  echo "fastapi: not installed, left out"
fi

if (cd "$here" && node -e 'import("better-sse").catch(() => process.exit(1))' 2>/dev/null); then
  node "$here/better-sse.mjs" &
  pid=$!
  wait_for 4103
  measure better-sse 4103 $pid
  kill $pid
else
  echo "better-sse: not installed, left out"
fi
