"""Core's logic as pure functions and values: no Django, no I/O, no clock."""
