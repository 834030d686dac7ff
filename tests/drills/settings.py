"""Production's settings, but for the poll: every 5 seconds, so that a run takes minutes and not an hour."""

from robson import settings as production

globals().update({name: value for name, value in vars(production).items() if name.isupper()})

POLL_INTERVAL_S = 5
