-- ARGV: 6 epoch, then the processes that live. Returns 1, opening, error, playback (given, heard, delivered), for how
-- long the client may still be idle (ms), and the lines; 0 where the session
-- is another's, or has a higher epoch, and whether it is this process's; -1 where there is none.
local owner, epoch, opening, failed, given, heard, played, expires =
  fields('owner', 'epoch', 'opening', 'error', 'given', 'heard', 'played', 'expires')
if not owner then
  return {-1}
end
for place = 7, #ARGV do
  if ARGV[place] == owner and owner ~= ME then
    return {0, 0}
  end
end
if tonumber(ARGV[6]) <= tonumber(epoch) then
  return {0, owner == ME and 1 or 0}
end
call('HSET', STATE, 'owner', ME, 'epoch', ARGV[6], 'commit', 0)
tell(owner, 'e' .. epoch .. ' ' .. NAME)
return {1, opening, failed, given, heard, played, math.ceil((tonumber(expires) - now) * 1000),
        call('LRANGE', LINES, 0, -1)}
