"""How the outside becomes records: decode, check, place, classify, store. No HTTP, nothing of the server."""
