"""Deletion."""


def purge() -> None:
    """x"""
