"""The console's pages, words and static files."""
