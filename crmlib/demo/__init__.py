"""A synthetic retailer of the Canary Islands, written as its tools would write it, with the truth apart.

columns     what a column of the making is: numpy arrays of text, numbers, dates
chance      named streams of random numbers, weighted choices, numbers that look unrelated
words       the word lists: names, streets, municipalities, stores, products
households  who is whose partner, child and twin
traits      what changes once: home, phone, e-mail address
contacts    national ids, phones, e-mail addresses
people      who lives there, with all of that
holdings    which system knows whom, since when
writing     how a value gets written: nicknames, lost accents, slips of the keyboard, formats
shop, erp, loyalty    what each system's export says of a person
rhythm      when each person buys: rate, regularity, dropout, season
baskets     what is bought: tickets and their lines
pos         the till's tables
defects     wrong data, planted and noted
truth       who is who, who lives with whom, how each buys, what is wrong
piece       the people made at a time, with all that is drawn about them
files       CSV and Parquet, written piece by piece
retailer    all of it in order: ``write_retailer``
"""
