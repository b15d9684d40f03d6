"""The money record: numbers, orders, schedules and invoices."""
