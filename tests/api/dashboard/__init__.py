"""The dashboard in a real browser: one browser and one lab for the whole folder."""
