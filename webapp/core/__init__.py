"""What every way in shares: transactions, hints at jobs, the database's owner, mail, formats, logs."""
