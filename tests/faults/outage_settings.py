"""Production's settings, but for the poll: every second, so that a missed one is noticed soon."""

from robson import settings as production

globals().update({name: value for name, value in vars(production).items() if name.isupper()})

POLL_INTERVAL_S = 1
