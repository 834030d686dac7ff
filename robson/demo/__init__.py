"""`make demo`: both modalities on one simulated account, with real processes, from start to a checked end.

`stage`     a database, a Redis database and a folder of its own; the processes
`scenario`  what happens, and the lines that tell it
`report`    what the exchange's own ledger says about it
"""
