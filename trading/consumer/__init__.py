"""The consumer process: prices, detectors and trailing stops in one event loop, all that waits in lanes.

`market`   what watches each symbol, as plain calls: no I/O
`loading`  what is read from the database and the exchange before a watch begins
`lanes`    threads with a warm database connection and a warm exchange connection of their own
`acting`   entries and exits, pursued until they are settled
`feed`     is the stream alive? if not, REST prices go through the same function
`process`  ties them together, from start to SIGTERM
"""
