#!/bin/sh
# The same load against each server in turn; see README.md. SECONDS_OF_LOAD shortens each, ROUNDS repeats the first two by turns.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
server=$root/target/release/streamgauge
out=$(mktemp -d)
# Its PostgreSQL is run by another user where this is run by root.
chmod o+x "$out"
signal=TERM
ours=
trap 'kill -s CONT $(jobs -p) $([ -z "$ours" ] || processes "$ours") 2>/dev/null || true
  kill -s $signal $(jobs -p) 2>/dev/null || true; wait; rm -rf "$out"' EXIT
trap 'exit 130' INT TERM
ulimit -n "$(ulimit -Hn)"

# A server and all that works for it: its workers, its database with that one's.
processes() { # pid
  database=$(cat "$out"/*/postgres/postmaster.pid 2>/dev/null | head -n 1)
  echo "$1"
  pgrep -P "$1" || true
  [ "$1" != "$ours" ] || [ -z "$database" ] || { echo "$database"; pgrep -P "$database"; }
}

load() { # name port pid session-count streams rate option...
  name=$1 port=$2 pid=$3 sessions=$4 streams=$5 rate=$6
  shift 6
  rm -f "$out/$name.json"
  "$server" loadtest burst --url "http://127.0.0.1:$port" --server-pid "$pid" --no-post --json "$out/$name.json" \
    --sessions "$sessions" --streams "$streams" --rate "$rate" --duration "${SECONDS_OF_LOAD:-20}s" --arrivals 500 \
    "$@" >"$out/$name.txt" 2>&1 || true
  if row=$(python3 "$here/row.py" "$name" "$out/$name.json"); then
    echo "$row"
    echo "${turn:-1} $row" >>"$out/rows"
  else
    cat "$out/$name.txt"
  fi
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

streamgauge() { # name port option...
  name=$1 port=$2
  shift 2
  rm -rf "${out:?}/$name"
  "$server" serve --node "$name" --listen "127.0.0.1:$port" --data-dir "$out/$name" "$@" >"$out/$name.log" 2>&1 &
  pid=$! signal=TERM
  wait_for "$port"
}

nchan() { # name port [address-of-redis]
  mkdir -p "$out/$1"
  sed "s/PORT/$2/" "$here/nchan.conf" >"$out/$1/nginx.conf"
  ln -sfn /usr/lib/nginx/modules "$out/$1/modules"
  [ $# = 2 ] || printf 'nchan_use_redis on;\nnchan_redis_url %s;\n' "$3" >"$out/$1/redis.conf"
  # Told to end, Nchan frees some memory twice and now and then hangs.
  nginx -p "$out/$1/" -c nginx.conf -g 'daemon off;' >"$out/$1.log" 2>&1 &
  pid=$! signal=KILL
  wait_for "$2"
}

stop() { # pid...
  kill -s "$signal" "$@" || true
  wait "$@" 2>/dev/null || true
}

# Two of a kind: published to one, followed on the other, and measured there, where each event comes out of Redis.
through_redis() { # kind port port what-starts-one option...
  kind=$1 first=$2 second=$3 start=$4
  shift 4
  "$start" "$kind-in" "$first" "$@"
  published_to=$pid
  "$start" "$kind-out" "$second" "$@"
  load "$kind-redis-10" "$first" "$pid" 50 500 60 --follow-url "http://127.0.0.1:$second"
  load "$kind-redis-100" "$first" "$pid" 5 500 60 --follow-url "http://127.0.0.1:$second"
  stop "$published_to" "$pid"
}

python3 "$here/row.py"
has_nchan=
if command -v nginx >/dev/null && [ -e /usr/lib/nginx/modules/ngx_nchan_module.so ]; then
  has_nchan=yes
else
  echo "nchan: not installed, left out"
fi

rest() { kill -s STOP $(processes "$1"); }

rise() {
  kill -s CONT $(processes "$1")
  # What comes by the second and was held up is done by then.
  sleep 3
}

# Started once, as servers are, and measured once what a start leaves to be done is done. By turns, since a machine is not
# as quick in one minute as in the next; which is not measured is stopped meanwhile, so that it takes nothing.
streamgauge streamgauge 4100
ours=$pid
[ -z "$has_nchan" ] || nchan nchan 4101
theirs=$pid
sleep 15
[ -z "$has_nchan" ] || rest "$theirs"
for turn in $(seq "${ROUNDS:-1}"); do
  measure streamgauge 4100 "$ours"
  # As a back end does that reports for all its sessions at once; none of the peers takes that.
  load streamgauge-10-batched 4100 "$ours" 50 500 60 --batch 10ms
  load streamgauge-100-batched 4100 "$ours" 5 500 60 --batch 10ms
  [ -n "$has_nchan" ] || continue
  rest "$ours"
  rise "$theirs"
  measure nchan 4101 "$theirs"
  rest "$theirs"
  rise "$ours"
done
if [ -n "$has_nchan" ]; then
  kill -s CONT "$theirs"
  signal=KILL
  stop "$theirs"
fi
signal=TERM
stop "$ours"
ours=

if command -v redis-server >/dev/null; then
  redis-server --bind 127.0.0.1 --port 4110 --dir "$out" --save '' --appendonly no >"$out/redis.log" &
  redis=$!
  through_redis streamgauge 4100 4104 streamgauge --redis-url redis://127.0.0.1:4110
  [ -z "$has_nchan" ] || through_redis nchan 4101 4105 nchan redis://127.0.0.1:4110
  signal=TERM
  stop $redis
else
  echo "redis: not installed, left out"
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

python3 "$here/bars.py" "$out/rows"
