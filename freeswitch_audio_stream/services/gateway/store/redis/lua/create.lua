-- ARGV: 6 epoch, 7 tenant, 8 opening (JSON). Returns 1 where the session is new, 0 where it is there already and -1
-- where it is another tenant's; and who owns it.
local owner, tenant = fields('owner', 'tenant')
if owner then
  return {tenant == ARGV[7] and 0 or -1, owner}
end
call('DEL', unpack(KEYS))
local time = string.format('%.3f', now)
call('HSET', STATE, 'opening', ARGV[8], 'tenant', ARGV[7], 'created', time, 'active', time, 'kept', time,
     'expires', string.format('%.3f', now + IDLE), 'error', '', 'owner', ME, 'epoch', ARGV[6], 'commit', 0,
     'sequence', -1, 'input', 0, 'waiting', 0, 'piece', 0, 'delivered', 0, 'audio', 0, 'polls', '',
     'given', 0, 'heard', 0, 'played', 0)
keep(STATE)
return {1, ME}
