"""What a name, an e-mail, a phone, an address, a national id and a birth date are: one room each.

Each room has one function that normalises and validates a value, pure and without a database, made for
`Engine.map_distinct`. Normalising twice gives what normalising once gives.
"""
