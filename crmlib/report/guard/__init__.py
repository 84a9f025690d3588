"""No personal data in what may be forwarded: searched for in every file before a run is published.

The files are small and the tables may hold millions of people, so the files are taken apart into candidates
(e-mail-like words, runs of digits, runs of words) and the candidates are looked up in the tables, by SQL (`lookups`).

Found are: e-mail addresses of any kind, in the tables or not; telephone numbers, national ids, names of two or
more words (in any order) and addresses with a number that stand in the tables; and what cannot be searched, such
as bitmaps. Accents, case, spaces, punctuation, entities and escapes make no difference. Not reported is what also
stands in an allowed text.
"""

from crmlib.report.guard.search import AllowedColumn, GuardedColumn, Hit, check, scan

__all__ = ["AllowedColumn", "GuardedColumn", "Hit", "check", "scan"]
