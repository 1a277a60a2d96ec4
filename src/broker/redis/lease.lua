-- A place for one more stream of a user to a session, or none. Places run out by themselves: a node that died gives
-- its own back within their time to live. The clock is Redis' own, so that nodes need not agree on one.
--
-- KEYS  1 sorted set: member = one stream, score = when its place runs out (ms)
-- ARGV  1 member   2 most   3 time to live, ms
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- A write that takes no memory comes first, so Redis lets the rest pass at its memory limit too: streams go on.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
