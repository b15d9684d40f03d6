"""The firm's clients: companies, the people in them, and the deals made with them."""
