-- ARGV: 6 "" or "idle": only where the client was idle for too long.
-- Returns 1, what state.lua does, the owner, and whether polls wait in this process; 0 where there is no session; -1 and
-- for how long it may still be idle (ms).
local owner, epoch, polls, expires = fields('owner', 'epoch', 'polls', 'expires')
if not owner then
  return {0}
end
if ARGV[6] == 'idle' and tonumber(expires) > now then
  return {-1, math.ceil((tonumber(expires) - now) * 1000)}
end
local state = everything()
return {1, state, owner, remove(owner, epoch, polls)}
