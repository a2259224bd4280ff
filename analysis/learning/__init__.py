"""What is learnt from rows: groups, odd rows, directions of variation, and models that predict."""
