"""The built-in model: a published list of question forms, matched by rules to the same tools."""
