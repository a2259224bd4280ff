"""The REST API: the page's conversations, data and answers for other programs."""
