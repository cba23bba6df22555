"""Between the rings and the sockets: frames and encapsulations both ways, the I/O loop, TLS."""
