"""Groups of commands below `mimawari`, one file each; they wire and hold no logic."""
