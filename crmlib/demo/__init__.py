"""A synthetic retailer of the Canary Islands, written as its tools would write it, with the truth apart.

columns     what a column of the making is: numpy arrays of text, numbers, dates
moments     calendar days and clock times
chance      named streams of random numbers, weighted choices, numbers that look unrelated
words       the word lists: names, streets, municipalities, stores, products
season      how busy each day is on each island
households  who is whose partner, child and twin
traits      what changes once: home, phone, e-mail address
contacts    national ids, phones, e-mail addresses
people      who lives there, with all of that
rhythm      how each person buys: rate, regularity, dropout, changes, pauses
baskets     what is bought: habits and tastes, tickets and their lines
holdings    which system knows whom, since when
piece       the people made at a time, with all that is drawn about them
writing     how a value gets written: nicknames, lost accents, slips of the keyboard, formats
defects     wrong data, planted and noted
shop, erp, loyalty    what each system's export says of a person
records     the systems' rows about a piece's people, with what is wrong in them
consents    what people allow and forbid over time
reach       how the retailer reaches each person, and when it may
campaigns   two years of campaigns in six categories, with what each truly does
walk        the people while the days go by: clocks, purchases, what was sent
audiences   whom each campaign is for
history     the days in their order: who is eligible, who is sent what, what that does
story       all that happens to a piece's people
pos, deliveries       the tills' tables, and when they are delivered
orders, web           the online shop's orders and events
mailing, mailchimp    the log of sends, and the mailing tool's audience
consent_log, service, lists, suppliers, postcodes     what the other systems export
truth, permissions, stages, effects     who is who, what each allows, where each stands, what campaigns did
files       CSV, zip and Parquet, written piece by piece
outputs     the retailer's files while they are written
pieces      one piece written down
retailer    all of it in order: ``write_retailer``
"""
