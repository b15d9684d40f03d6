"""What every way in shares: transactions, job hints, the database's owner, mail, formats, logs."""
