"""`robson doctor`: what is there, whether it does its job, and what to do where it does not."""
