-- One event: number it, keep it, tell every node that watches. All or nothing: where Redis is at its memory limit, it
-- refuses the first command of a script that writes, and none after that. So the first must be one that takes memory
-- (HSET, HINCRBY), and not a DEL, which would let all the rest pass.
--
-- KEYS  1 state hash: e epoch, n sequence, x ended, c latest message, p polled until, f fell back
--       2 history stream: entry id <seq>-0, field m
--       3 idempotency key, the publisher's or the node's own (only looked at when ARGV[8] is not empty)
--       4 channel; a key, so that a cluster sends the script to where the channel is
--       5 who heard a plainly published message how often (only looked at when ARGV[10] is not empty)
-- ARGV  1 epoch for a new session   2 payload   3 "1" when it ends the session   4 "1" when the session must exist
--       5 events to keep   6 ms to live   7 accepted, Unix microseconds   8 ms an idempotency key lives, or ""
--       9 PUBLISH, or SPUBLISH on a cluster
--      10 who heard a plainly published message, or ""   11 that message's number there   12 ms to remember it
--      13 since when it hears, ms by Redis' clock
--      14 ms within which a newcomer's first copy is taken for the one that was just counted
local state = redis.call('HMGET', KEYS[1], 'e', 'x')
if ARGV[8] ~= '' then
  local seen = redis.call('GET', KEYS[3])
  if seen then return {'repeated', seen, 0, 0} end
end
if state[2] == '1' then return {'ended', '', 0, 0} end
-- Before a plain message is counted as taken: it is brought again.
if ARGV[4] == '1' and not state[1] then return {'unknown', '', 0, 0} end

-- All nodes hear each plainly published message, and bring it here. The n-th copy that one node brings is the n-th
-- that was published: the first node to bring an n-th copy is heeded, the others bring the same. So nothing is
-- taken twice, and a back end that says the same thing twice is heard twice.
if ARGV[10] ~= '' then
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local known = redis.call('HMGET', KEYS[5], 'taken', 'at', ARGV[10], 'first')
  local taken, copies = tonumber(known[1] or 0), 0
  if known[3] then
    local before, number = string.match(known[3], '^(%d+) (%d+)$')
    -- The same message once more: its bringer did not hear the answer.
    if number == ARGV[11] then return {'heard', '', 0, 0} end
    copies = tonumber(before) + 1
  elseif taken == 0 or tonumber(ARGV[13]) < tonumber(known[4]) then
    -- It has heard them all, however late it brings them.
    copies = 1
  elseif now - tonumber(known[2]) <= tonumber(ARGV[14]) then
    copies = taken
  else
    copies = taken + 1
  end
  redis.call('HSET', KEYS[5], ARGV[10], copies .. ' ' .. ARGV[11])
  redis.call('PEXPIRE', KEYS[5], ARGV[12])
  if copies <= taken then return {'heard', '', 0, 0} end
  redis.call('HSET', KEYS[5], 'taken', copies, 'at', now)
  redis.call('HSETNX', KEYS[5], 'first', now)
end

local epoch, created = state[1], 0
local seq = redis.call('HINCRBY', KEYS[1], 'n', 1)
if not epoch then
  -- A history without a state is of a life before; its sequence numbers would collide.
  redis.call('DEL', KEYS[2])
  epoch, created = ARGV[1], 1
end
local message = epoch .. ' ' .. seq .. ' ' .. ARGV[7] .. ' ' .. ARGV[2]
redis.call('HSET', KEYS[1], 'e', epoch, 'x', ARGV[3], 'c', message)
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[5], seq .. '-0', 'm', message)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
if ARGV[8] ~= '' then redis.call('SET', KEYS[3], message, 'PX', ARGV[8]) end
local nodes = redis.call(ARGV[9], KEYS[4], message)
return {'published', message, nodes, created}
