"""What a stakeholder reads: one theme, a small vocabulary of charts and tables, pages, and their guard."""
