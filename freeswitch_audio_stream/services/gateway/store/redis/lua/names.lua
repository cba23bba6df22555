-- KEYS: names of a scope. Returns them, in the order of their creation.
return call('ZRANGE', KEYS[1], 0, -1)
