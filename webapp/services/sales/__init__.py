"""Proposals, contracts and signatures: from offer to order (sign-flow.md)."""
