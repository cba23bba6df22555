-- Stands before every script. ARGV[1]: the time in seconds since 1970, or "" for that of this server.
local call = redis.call

local function clock()
  if ARGV[1] ~= '' then
    return tonumber(ARGV[1])
  end
  local time = call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local now = clock()
