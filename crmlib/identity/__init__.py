"""Which records are the same person: what is compared, which pairs, how likely, whose id.

records -> comparisons, blocking -> linkage -> clusters -> registry; household and evaluation beside them.
"""
