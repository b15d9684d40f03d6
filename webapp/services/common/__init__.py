"""What all services share: reading, writing, exceptions, secrets, batches."""
