"""Values as bytes and as text: the canonical form, differences, JSON."""
