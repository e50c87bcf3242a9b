"""Connections: bytes of a WebSocket or of a polling page in and out, bounded, before anything decides on them."""
