"""What pages show of several domains at once."""
