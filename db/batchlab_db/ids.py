"""Ids of what users name in addresses."""

import secrets

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Thirty-two characters that no reader mistakes for one another."""
LENGTH = 12


def new_id() -> str:
    """A fresh id."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
