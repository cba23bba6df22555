-- KEYS: names owned by this process. ARGV: 2 a name that is another's.
return call('SREM', KEYS[1], ARGV[2])
