"""Local servers and processes: what one machine needs to run all of Robson."""
