"""Specs, the cells that they expand to, and the engines that train them. Needs no server and no database."""
