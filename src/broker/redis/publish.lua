-- One event: number it, keep it, tell every node that watches. All or nothing.
--
-- KEYS  1 state hash: e epoch, n sequence, x ended, c latest message
--       2 history stream: entry id <seq>-0, field m
--       3 idempotency key (only looked at when ARGV[8] is not empty)
-- ARGV  1 epoch for a new session   2 payload   3 "1" when it ends the session   4 "1" when the session must exist
--       5 events to keep   6 ms to live   7 accepted, Unix microseconds   8 ms an idempotency key lives, or ""
--       9 channel
local state = redis.call('HMGET', KEYS[1], 'e', 'x')
if ARGV[8] ~= '' then
  local seen = redis.call('GET', KEYS[3])
  if seen then return {'repeated', seen, 0, 0} end
end
if state[2] == '1' then return {'ended', '', 0, 0} end

local epoch, created = state[1], 0
if not epoch then
  if ARGV[4] == '1' then return {'unknown', '', 0, 0} end
  -- A history without a state is of a life before; its sequence numbers would collide.
  redis.call('DEL', KEYS[2])
  epoch, created = ARGV[1], 1
end

local seq = redis.call('HINCRBY', KEYS[1], 'n', 1)
local message = epoch .. ' ' .. seq .. ' ' .. ARGV[7] .. ' ' .. ARGV[2]
redis.call('HSET', KEYS[1], 'e', epoch, 'x', ARGV[3], 'c', message)
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[5], seq .. '-0', 'm', message)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
if ARGV[8] ~= '' then redis.call('SET', KEYS[3], message, 'PX', ARGV[8]) end
local nodes = redis.call('PUBLISH', ARGV[9], message)
return {'published', message, nodes, created}
