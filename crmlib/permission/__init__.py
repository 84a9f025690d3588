"""What each customer allowed: consent by channel and purpose, and the lists of those not to be contacted."""
