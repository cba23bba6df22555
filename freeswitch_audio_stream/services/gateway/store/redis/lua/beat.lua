-- KEYS: processes. ARGV: 2 this process, 3 for how long it counts as alive (s), 4 its channel.
-- Returns whether it counted as alive, those that do, and those that do not: each, and whether it has left by itself.
local before = tonumber(call('ZSCORE', KEYS[1], ARGV[2]) or '0')
call('ZADD', KEYS[1], string.format('%.3f', now + tonumber(ARGV[3])), ARGV[2])
call('PUBLISH', ARGV[4], 'b')
local dead = {}
local scores = call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.3f', now), 'WITHSCORES')
for place = 1, #scores, 2 do
  dead[#dead + 1] = scores[place]
  dead[#dead + 1] = tonumber(scores[place + 1]) == 0 and 1 or 0
end
return {before > now and 1 or 0, call('ZRANGEBYSCORE', KEYS[1], string.format('(%.3f', now), '+inf'), dead}
