"""What crosses a link: the datagram and the probe."""
