#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL or REDIS_URL it starts Robson's own local servers first."""

from robson.cli import manage

if __name__ == "__main__":
    manage()
