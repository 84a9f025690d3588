"""Any retailer's data by one door: readers, mapping, quarantine, ledger."""
