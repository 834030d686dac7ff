"""The Django project: settings, processes and pages. No trading logic."""
