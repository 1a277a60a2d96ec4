-- A session without an event. 1: it is new.
--
-- KEYS  1 state hash
-- ARGV  1 its epoch, if it is new   2 ms to live; also of one that is there: whoever creates it again is about to use it
local new = redis.call('HSETNX', KEYS[1], 'e', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return new
