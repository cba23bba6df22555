-- Returns opening, created, active, error, lines and actions; nothing where there is no session.
return call('EXISTS', STATE) == 1 and everything() or {}
