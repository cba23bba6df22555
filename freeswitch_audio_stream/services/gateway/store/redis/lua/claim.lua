-- KEYS: names owned by this process, epoch. Returns an epoch for the first name, and the names.
local names = call('SMEMBERS', KEYS[1])
return {next_epochs(KEYS[2], #names + 1), names}
