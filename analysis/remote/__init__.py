"""Tables that stay where they are: connections to other engines, read through Ibis."""
