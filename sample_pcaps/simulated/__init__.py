"""A made-up hospital of 400 beds as flows: its rules stand in docs/simulated-hospital.md."""
