"""The sample hospital: small captures made by scripts, with the alerts they must raise."""
