"""Other monitors' records (syslog: CEF, LEEF, key=value, JSON, plain text) become sightings."""
