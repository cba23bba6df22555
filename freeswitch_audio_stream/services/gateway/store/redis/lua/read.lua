-- ARGV: 6 epoch. Returns 1 and the inputs; 0 where the lease is not the current one.
local owner, epoch = fields('owner', 'epoch')
if owner ~= ME or epoch ~= ARGV[6] then
  return {0}
end
return {1, call('XRANGE', INPUTS, '-', '+')}
