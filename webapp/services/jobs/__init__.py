"""Asking for later work, and looking at it."""
