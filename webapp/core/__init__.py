"""What every way in shares: transactions, wake-ups, the database's owner, mail, formats, logs."""
