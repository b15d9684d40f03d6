"""What all resources share: operations, the five usual ones, and the OpenAPI document."""
