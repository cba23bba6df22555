-- KEYS: processes. ARGV: 2 this process, 3 the channel of all. Whoever lives takes its sessions over at once.
call('ZADD', KEYS[1], 0, ARGV[2])
call('PUBLISH', ARGV[3], 'a')
return 1
