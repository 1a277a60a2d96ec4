-- A replica that lacked the latest events took over, so numbers that followers have seen are given a second time. The
-- session goes on in a new epoch, with its latest status as number 1: followers that hear that, or resume, get a `gap`.
-- Every node that notices asks for it; the first one's epoch stands.
--
-- KEYS  1 state hash   2 history stream   3 channel
-- ARGV  1 the epoch that is over   2 the new one   3 PUBLISH, or SPUBLISH on a cluster
local state = redis.call('HMGET', KEYS[1], 'e', 'c')
if state[1] ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'e', ARGV[2], 'n', 0)
if not state[2] then return 1 end
local message = ARGV[2] .. ' 1 ' .. string.match(state[2], '^%S+ %S+ (.*)$')
redis.call('HSET', KEYS[1], 'n', 1, 'c', message)
redis.call('XADD', KEYS[2], '1-0', 'm', message)
local left = redis.call('PTTL', KEYS[1])
if left > 0 then redis.call('PEXPIRE', KEYS[2], left) end
redis.call(ARGV[3], KEYS[3], message)
return 1
