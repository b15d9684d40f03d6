"""What the tests share: servers, a stack of real processes, tenants, and callers."""
