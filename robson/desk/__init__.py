"""The owner's pages: everything at a glance, each position with its chart, and its story."""
