-- Stands before every script of the index, behind clock.lua.
-- Epochs grow without end, even where Redis has forgotten the last one: they follow the time in ms.
local function next_epochs(key, count)
  local first = math.max((tonumber(call('GET', key) or '0')) + 1, math.floor(now * 1000))
  call('SET', key, string.format('%d', first + count - 1))
  return first
end
