"""What HTTP adds, for the API and the pages alike: errors, headers, answers, retries, waiting."""
