-- KEYS: sessions (hash: tenant by name), names of the scope (sorted set), names of the tenant (set), names owned by this
-- process (set), processes (sorted set), epoch.
-- ARGV: 2 name, 3 tenant, 4 and 5 how many sessions there may be, and of the tenant, 6 this process, 7 for how long it
-- counts as alive (s). Returns an epoch; -1 and -2 where there are too many.
if call('HEXISTS', KEYS[1], ARGV[2]) == 0 then
  if call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then
    return -1
  end
  if call('SCARD', KEYS[3]) >= tonumber(ARGV[5]) then
    return -2
  end
  call('HSET', KEYS[1], ARGV[2], ARGV[3])
  call('ZADD', KEYS[2], string.format('%.3f', now), ARGV[2])
  call('SADD', KEYS[3], ARGV[2])
end
call('SADD', KEYS[4], ARGV[2])
call('ZADD', KEYS[5], 'NX', string.format('%.3f', now + tonumber(ARGV[7])), ARGV[6])
return next_epochs(KEYS[6], 1)
