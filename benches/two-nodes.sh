#!/bin/sh
# Two nodes that share a Redis: 50 sessions of 100 messages/s are published to one and followed on the other.
# SECONDS_OF_LOAD shortens it; SERVER names another server and TOOL another load tool, which gets all arguments:
# benches/two-nodes.sh --json FILE.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
server=${SERVER:-$root/target/release/streamgauge}
tool=${TOOL:-$server loadtest}
out=$(mktemp -d)
# Where root runs this, another user runs PostgreSQL.
chmod o+x "$out"
pids=

stop() {
  kill $pids 2>/dev/null || true
  # Each node stops its PostgreSQL before it ends; until then its folder is in use.
  wait
  rm -rf "$out"
}
trap stop EXIT
trap 'exit 130' INT TERM
ulimit -n "$(ulimit -Hn)"

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for() { # what was started last, command...
  what=$1
  shift
  pids="$pids $!"
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  echo "$what does not get ready:" >&2
  tail -n 20 "$out/$what.log" >&2
  return 1
}

node() { # name port
  # Each with a PostgreSQL of its own: the sessions are in Redis, and open access asks for no ticket.
  "$server" serve --node "$1" --listen "127.0.0.1:$2" --data-dir "$out/$1" --redis-url "redis://127.0.0.1:$redis" \
    >"$out/$1.log" 2>&1 &
  wait_for "$1" curl -sf "http://127.0.0.1:$2/readyz"
}

redis=$(free_port)
redis-server --bind 127.0.0.1 --port "$redis" --dir "$out" --save '' --appendonly no >"$out/redis.log" 2>&1 &
wait_for redis redis-cli -p "$redis" ping

publish=$(free_port)
node publish "$publish"
follow=$(free_port)
node follow "$follow"

# shellcheck disable=SC2086 # a command and its first argument
$tool burst --url "http://127.0.0.1:$publish" --follow-url "http://127.0.0.1:$follow" --no-post \
  --sessions 50 --streams 50 --rate 100 --duration "${SECONDS_OF_LOAD:-60}s" "$@"
