-- The current status for a poller, and what its poll means for the time for which the session is followed. The clock is
-- Redis' own, so that nodes need not agree on one.
--
-- KEYS  1 state hash; p: to when polls stand for the session, ms   2 channel
-- ARGV  1 the interval of polls, ms   2 NUMSUB, or SHARDNUMSUB on a cluster
local state = redis.call('HMGET', KEYS[1], 'e', 'n', 'c', 'p')
-- An invented session makes no key.
if not state[1] then return {false, false, false, false, 0, 0} end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local nodes = redis.call('PUBSUB', ARGV[2], KEYS[2])[2]
-- As text: Lua would write a number of 13 digits as 1.7e+12.
local kept = redis.pcall('HSET', KEYS[1], 'p', string.format('%d', now + ARGV[1]))
-- At its memory limit Redis refuses to write: the poller still gets the status, but its poll is not counted.
if type(kept) == 'table' and kept.err then return {state[1], state[2], state[3], false, 0, nodes} end
return {state[1], state[2], state[3], state[4], now, nodes}
