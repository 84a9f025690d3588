"""How customers buy, whether they still do, and what they are worth."""
