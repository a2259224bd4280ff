"""From a file's bytes to tables, in a locked process: a parser may crash or be fooled, and harms nobody."""
