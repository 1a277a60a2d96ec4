-- State and history of a session at one moment. A script and not a transaction: when a slot has moved, a cluster's client
-- is led on with one command, and not in the middle of several.
--
-- KEYS  1 state hash   2 history stream
local messages = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
  messages[#messages + 1] = entry[2][2]
end
local state = redis.call('HMGET', KEYS[1], 'e', 'n', 'c')
return {state[1], state[2], state[3], messages}
