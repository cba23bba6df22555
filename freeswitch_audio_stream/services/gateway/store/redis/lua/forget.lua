-- KEYS: sessions, names of the scope, names owned by a process. ARGV: 2 name, 3 what the keys of tenants begin with.
local tenant = call('HGET', KEYS[1], ARGV[2])
if tenant then
  call('HDEL', KEYS[1], ARGV[2])
  call('ZREM', KEYS[2], ARGV[2])
  call('SREM', ARGV[3] .. tenant, ARGV[2])  -- in the same slot: it begins with the same hash tag
end
call('SREM', KEYS[3], ARGV[2])
return 1
