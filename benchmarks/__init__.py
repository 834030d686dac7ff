"""`make bench`: what Robson's design costs, measured on real parts, beside bare paths in the same run.

`stage`    servers, simulator and processes of a run's own, gone afterwards
`figures`  what was measured: values, distributions, targets
`core` `safety` `frames` `polling` `memory`  one measurement each
`bare_line` `bare_celery` `bare_tasks`  the least that could work, for the ratios
`observed`  the Celery application of a worker whose poll tells the time of its touches
`blaster`  a stream host that sends as fast as it is read
`report`   the table and `latest.json`
"""
