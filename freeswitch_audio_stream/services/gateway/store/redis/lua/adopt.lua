-- KEYS: processes, names owned by the dead process, names owned by this one, epoch. ARGV: 2 the dead process, 3 this
-- process's part is one of so many. Returns an epoch for the first name, how many are left, and the names.
local score = tonumber(call('ZSCORE', KEYS[1], ARGV[2]) or '0')
local count = call('SCARD', KEYS[2])
if score > now then
  return {0, 0, {}}
end
local names = count > 0 and call('SPOP', KEYS[2], math.min(500, math.ceil(count / tonumber(ARGV[3])))) or {}
if #names > 0 then
  call('SADD', KEYS[3], unpack(names))
end
if #names == count then
  call('ZREM', KEYS[1], ARGV[2])
end
return {#names > 0 and next_epochs(KEYS[4], #names) or 0, count - #names, names}
