"""A mapping guessed from headings and contents: which entity a file is, what each column means, how sure that is."""
