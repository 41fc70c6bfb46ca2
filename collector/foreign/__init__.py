"""Flow records that other programs wrote: Zeek's conn.log and Argus' binetflow."""
