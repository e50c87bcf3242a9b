"""The way to one remote peer: its paths, what is unacknowledged, how it is negotiated."""
