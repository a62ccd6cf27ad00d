"""The second ring: the paper's record, experiments over corpora, the command line."""
