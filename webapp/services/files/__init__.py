"""Files: what is stored for an engagement, in versions, and what the client decided on them."""
