"""Who the customers are, as groups: segments, counters, and counts that single nobody out."""
