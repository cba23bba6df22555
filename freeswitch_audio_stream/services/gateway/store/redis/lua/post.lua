-- ARGV: 6 sequence or -1, 7 and 8 how many bytes and how many inputs may wait, then kind and content of each input.
-- Returns 1 (and whether the agent runs in this process, and its error), 0 where there is no session, -1 where too much
-- waits.
local owner, failed, sequence, waiting, last = fields('owner', 'error', 'sequence', 'waiting', 'input')
if not owner then
  return {0}
end
touch(0)
local given = tonumber(ARGV[6])
if failed ~= '' or (given >= 0 and given <= tonumber(sequence)) then
  return {1, 0, failed}
end
local size = 0
for place = 9, #ARGV, 2 do
  if ARGV[place] == 'a' then
    size = size + #ARGV[place + 1]
  end
end
waiting, last = tonumber(waiting), tonumber(last)
if (waiting > 0 and waiting + size > tonumber(ARGV[7])) or call('XLEN', INPUTS) >= tonumber(ARGV[8]) then
  return {-1}
end
for place = 9, #ARGV, 2 do
  last = add_input(last, ARGV[place], ARGV[place + 1])
end
call('HSET', STATE, 'input', last, 'waiting', waiting + size, 'sequence', given >= 0 and ARGV[6] or sequence)
tell(owner, 'r' .. NAME)
return {1, owner == ME and 1 or 0, ''}
