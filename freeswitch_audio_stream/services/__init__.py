"""Programs beside FreeSWITCH, each a client of nothing but its own protocol and of `web`."""
