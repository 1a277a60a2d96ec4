-- A session without an event. 1: it is new.
--
-- KEYS  1 state hash   2 history stream
-- ARGV  1 its epoch, if it is new   2 ms to live; also of one that exists: whose publisher is about to use it
-- First, since it is what Redis refuses at its memory limit: after a DEL it would not be.
local new = redis.call('HSETNX', KEYS[1], 'e', ARGV[1])
-- A history without a state is of a life before; its sequence numbers would collide.
if new == 1 then redis.call('DEL', KEYS[2]) end
-- One that has ended goes when it would have gone.
if redis.call('HGET', KEYS[1], 'x') ~= '1' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return new
