"""The figures: what pycore costs and how quickly it changes over, each with its goal."""
