"""Sessions, events, state, turns, results and datasets, kept in one home folder."""
