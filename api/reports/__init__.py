"""Reports for people who do not watch the console: what a week held, in words."""
