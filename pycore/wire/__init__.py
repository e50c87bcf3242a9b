"""What crosses a link: the datagram and the probe, and what no datagram has room for."""
