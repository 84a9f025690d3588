"""Contact plans: read, decide who may get what, simulate before sending; and what campaigns brought."""
