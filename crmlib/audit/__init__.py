"""What the database is worth, and what is wrong with it."""
