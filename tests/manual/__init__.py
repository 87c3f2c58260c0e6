"""The manual: its topics, its tables, its man page, and how it is shown."""
