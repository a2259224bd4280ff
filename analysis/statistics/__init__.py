"""Statistical tests and models, each with its assumptions checked and the size of its effect."""
