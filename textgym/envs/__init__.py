"""The environments. See `ids.py` for the manuals, `episodes.py` for the rules."""
