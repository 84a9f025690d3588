"""What is done on a day: who is contacted with what and why not the others, and the files for the tools that send."""
