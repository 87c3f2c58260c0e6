"""The manual: topics in Markdown, shown in the terminal and made into a man page.

Standard library and markdown-it alone, so that the wheel's build can make the man page of them.
"""
