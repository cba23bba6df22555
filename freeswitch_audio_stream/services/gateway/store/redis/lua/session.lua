-- Stands before every script of a session, behind clock.lua.
-- KEYS: state (hash), inputs (stream), pieces (stream), lines (list), actions (list).
-- ARGV: 2 how long a session may be idle (s), 3 this process, 4 the session's name, 5 what channels begin with.
local STATE, INPUTS, PIECES, LINES, ACTIONS = unpack(KEYS)
local IDLE, ME, NAME, CHANNEL = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
-- Whoever has the lease ends what is idle; where nobody is left to do that, Redis does, this much later.
local SPARE_SECONDS, RENEW_SECONDS = 180, 60

local function fields(...)
  return unpack(call('HMGET', STATE, ...))
end

local function keep(key)
  call('EXPIRE', key, math.ceil(IDLE) + SPARE_SECONDS)
end

-- The client is there, and waits for so many seconds.
local function touch(wait)
  local expires, kept = fields('expires', 'kept')
  local time = string.format('%.3f', now)
  call('HSET', STATE, 'active', time, 'expires', string.format('%.3f', math.max(tonumber(expires), now + wait + IDLE)))
  if math.abs(now - tonumber(kept)) > RENEW_SECONDS then
    call('HSET', STATE, 'kept', time)
    for _, key in ipairs(KEYS) do
      keep(key)
    end
  end
end

local function tell(process, message)
  if process ~= ME then
    call('PUBLISH', CHANNEL .. process, message)
  end
end

-- Returns the number of the last input.
local function add_input(last, kind, content)
  call('XADD', INPUTS, string.format('%d-0', last + 1), kind, content)
  if last == 0 then
    keep(INPUTS)
  end
  return last + 1
end

-- Tells the processes where polls of this session wait; returns whether this is one of them.
local function wake_polls(polls)
  local here = 0
  for process in string.gmatch(polls, '%S+') do
    if process == ME then
      here = 1
    end
    tell(process, 'p' .. NAME)
  end
  return here
end

local function remove(owner, epoch, polls)
  call('DEL', unpack(KEYS))
  tell(owner, 'e' .. epoch .. ' ' .. NAME)
  return wake_polls(polls)
end

local function everything()
  local values = call('HMGET', STATE, 'opening', 'created', 'active', 'error')
  values[5] = call('LRANGE', LINES, 0, -1)
  values[6] = call('LRANGE', ACTIONS, 0, -1)
  return values
end
