"""What goes over the streams: a module for each kind of message."""
