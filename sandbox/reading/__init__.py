"""From a file's bytes to tables, inside a locked process: a parser may crash or be fooled, and harms nobody."""
