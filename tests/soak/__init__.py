"""`make soak`: the whole system for minutes, under random prices, random owner actions and random faults.

`schedule`  what happens and when, a pure function of the seed (`prices`, `deeds`, `faults`)
`stage`     servers, simulator and processes of the run's own
`market`, `owner`, `breaking`  carry the schedule out
`sight`     what is true at one moment, by the exchange's ledger and by Robson's database
`monitor`   how long a position has been without protection, judged from such moments
`audit`     what must be true at the end
`run`       ties them together; `summary` tells the result
"""
