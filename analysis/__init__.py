"""Tables in; numbers, tables and figures out, each with the code that made it."""
