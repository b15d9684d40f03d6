"""Proposals, contracts and signatures: from offer to order (product.md, *The sign flow*)."""
