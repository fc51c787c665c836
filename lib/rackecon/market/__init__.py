"""The market around a rack: price levels, rents, demand, and what an entrant would charge."""
