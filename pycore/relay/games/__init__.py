"""Games as the server keeps them: rooms, seats, whose they are, and what pages send of them."""
