"""textgym."""
