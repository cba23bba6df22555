-- ARGV: 6 epoch, 7 number of this commit, 8 number of the last input that is done with (0: none), 9 bytes of audio in
-- them, 10 error, 11 to 13 playback: given, heard, delivered; 14 and 15 how many bytes a piece has and may wait, 16 and
-- 17 how many lines and actions, then those, then kind and content of each piece.
-- Returns 1, how many inputs are left, how many bytes were dropped, and whether polls wait in this process; 0 where the
-- lease is not the current one.
local owner, epoch, done, waiting, failed, number, delivered, size, polls =
  fields('owner', 'epoch', 'commit', 'waiting', 'error', 'piece', 'delivered', 'audio', 'polls')
if owner ~= ME or epoch ~= ARGV[6] then
  return {0}
end
if tonumber(ARGV[7]) <= tonumber(done) then  -- it was carried out, and the answer was lost
  return {1, call('XLEN', INPUTS), 0, 1}
end
number, delivered, size = tonumber(number), tonumber(delivered), tonumber(size)
local piece_bytes, most, dropped = tonumber(ARGV[14]), tonumber(ARGV[15]), 0

local function add(kind, content)
  number = number + 1
  call('XADD', PIECES, string.format('%d-0', number), kind, content)
  if number == 1 then
    keep(PIECES)
  end
end

local function add_audio(content)
  local room = math.max(0, most - size)
  room = room - room % 2
  local bytes = math.min(#content, room)
  dropped = dropped + #content - bytes
  for first = 1, bytes, piece_bytes do
    local part = string.sub(content, first, math.min(first + piece_bytes - 1, bytes))
    size = size + #part
    add('a', part)
  end
end

-- Audio that was delivered stays for who asks for it again, and so does all text.
local function clear()
  for _, entry in ipairs(call('XRANGE', PIECES, string.format('%d', delivered + 1), '+')) do
    local kind = entry[2][1]
    if kind == 'a' or kind == 'c' then
      size = kind == 'a' and size - #entry[2][2] or size
      call('XDEL', PIECES, entry[1])
    end
  end
end

local function push(key, from, through)
  for place = from, through do
    if call('RPUSH', key, ARGV[place]) == 1 then
      keep(key)
    end
  end
end

if ARGV[8] ~= '0' then
  call('XTRIM', INPUTS, 'MINID', string.format('%d', tonumber(ARGV[8]) + 1))
end
local lines_end = 17 + tonumber(ARGV[16])
local actions_end = lines_end + tonumber(ARGV[17])
push(LINES, 18, lines_end)
push(ACTIONS, lines_end + 1, actions_end)
for place = actions_end + 1, #ARGV, 2 do
  local kind = ARGV[place]
  if kind == 'c' then
    clear()
  end
  if kind == 'a' then
    add_audio(ARGV[place + 1])
  else
    add(kind, ARGV[place + 1])
  end
end
local here = 0
if #ARGV > actions_end and polls ~= '' then
  here = wake_polls(polls)
  polls = ''
end
call('HSET', STATE, 'commit', ARGV[7], 'waiting', tonumber(waiting) - tonumber(ARGV[9]), 'piece', number, 'audio', size,
     'error', ARGV[10] ~= '' and ARGV[10] or failed, 'polls', polls, 'given', ARGV[11], 'heard', ARGV[12],
     'played', ARGV[13])
return {1, call('XLEN', INPUTS), dropped, here}
