"""What a person or a program reads: one file a format. Says nothing that the case does not."""
