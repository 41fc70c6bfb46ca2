"""Day-0 set-up: what an hour or a day of traffic proposes, and a person confirms."""
