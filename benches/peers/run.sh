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

load() { # name port pid session-count streams rate
  "$server" loadtest burst --url "http://127.0.0.1:$2" --server-pid "$3" --no-post --json "$out/$1.json" \
    --sessions "$4" --streams "$5" --rate "$6" --duration "${SECONDS_OF_LOAD:-20}s" --arrivals 500 >"$out/$1.txt" 2>&1 || true
  python3 "$here/row.py" "$1" "$out/$1.json" || cat "$out/$1.txt"
}

measure() { # name port pid
  # 30,000 deliveries a second: 10 followers a session, and then 100.
  load "$1-10" "$2" "$3" 50 500 60
  load "$1-100" "$2" "$3" 5 500 60
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
