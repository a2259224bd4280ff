"""What agents may call. Each tool is one analysis; its docstring is what the model reads."""
