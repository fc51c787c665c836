"""Which racks to buy for a site and its traffic, what runs where, and when to replace them."""
