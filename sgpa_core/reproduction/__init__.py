"""The paper's experiment as one command: corpora, curation, runs that resume, and their tables."""
