"""Cells trained together along a leading axis; `support` says which, and loads no torch."""
