-- ARGV: 6 and 7 `heard` and `received` or -1, 8 how many bytes an answer takes, 9 for how long the client waits (s),
-- 10 how many inputs may wait. Returns 1, audio, transcript, whether to clear, whether there is more, error, position,
-- and whether the agent runs in this process and has something to read; 0 where there is no session.
local owner, failed, last, delivered, size, polls = fields('owner', 'error', 'input', 'delivered', 'audio', 'polls')
if not owner then
  return {0}
end
local heard, received, most, wait = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
touch(wait)
last, delivered, size = tonumber(last), tonumber(delivered), tonumber(size)
local first = last

local function hand(kind, content)
  -- Nobody reads what an agent that has failed is told; and who polls without end fills no memory.
  if failed == '' and call('XLEN', INPUTS) < tonumber(ARGV[10]) then
    last = add_input(last, kind, content)
  end
end

local function drop(through)
  for _, entry in ipairs(call('XRANGE', PIECES, '-', string.format('%d', through))) do
    if entry[2][1] == 'a' then
      size = size - #entry[2][2]
    end
  end
  call('XTRIM', PIECES, 'MINID', string.format('%d', through + 1))
end

local audio, bytes, transcript, clear, reason, fresh = {}, 0, '', 0, '', 0
local position, is_full = 0, false

-- Returns whether the answer takes this piece.
local function take(number, kind, content)
  if kind == 'a' then
    if bytes > 0 and bytes + #content > most then
      return false
    end
    audio[#audio + 1] = content
    bytes = bytes + #content
    if number > delivered then
      fresh = fresh + #content
    end
  elseif kind == 't' then
    if transcript ~= '' then
      return false
    end
    transcript = content
  elseif position > 0 then
    return false
  elseif kind == 'f' then
    reason = content
    return false
  else
    clear = 1
  end
  position = number
  return true
end

if heard >= 0 then
  hand('h', string.format('%d 1', heard))
end
if received > 0 and call('XLEN', PIECES) > 0 then
  drop(received)
end
local from, taken = '-', 0
while not is_full do
  local entries = call('XRANGE', PIECES, from, '+', 'COUNT', 32)
  for _, entry in ipairs(entries) do
    if not take(tonumber(string.match(entry[1], '^%d+')), entry[2][1], entry[2][2]) then
      is_full = true
      break
    end
    taken = taken + 1
  end
  if #entries < 32 then
    break
  end
  from = '(' .. entries[32][1]
end
if reason ~= '' then
  audio, transcript, clear, fresh, position = {}, '', 0, 0, 0
end
local more = call('XLEN', PIECES) > taken and 1 or 0
if fresh > 0 or clear == 1 then
  hand('d', string.format('%d %d', fresh, clear))
end
if position == 0 then
  position = math.max(received, delivered, 0)
end
if taken > 0 then
  if received < 0 then
    drop(position)
  end
elseif reason == '' and wait > 0 and not string.find(' ' .. polls .. ' ', ' ' .. ME .. ' ', 1, true) then
  polls = polls .. ' ' .. ME
end
call('HSET', STATE, 'input', last, 'delivered', math.max(delivered, position), 'audio', size, 'polls', polls)
if last > first then
  tell(owner, 'r' .. NAME)
end
return {1, table.concat(audio), transcript, clear, reason == '' and more or 0, reason, position,
        last > first and owner == ME and 1 or 0}
