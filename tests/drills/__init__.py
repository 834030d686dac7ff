"""Drills: what has gone wrong for other systems, rehearsed against Robson's real processes.

`make drills`, or `python -m tests.drills [--only ROW_OR_NAME,..] [--list] [--json FILE] [--lanes N]`.

A drill is a function that takes a `Scene`, declared with the number of its row:

    @drill(1, broke="consumer killed")
    def the_poll_drives_the_stops_of_a_dead_consumer(scene: Scene) -> None:
        position = scene.core()                      # Core's, Active, and watched by the consumer
        with scene.outage():                         # not counted against what the row allows
            scene.stage.processes.kill("consumer")
            scene.pierce(position)                   # the price goes through the stop; the clock runs
        scene.allow(5, "one poll")                   # how long it may be unprotected beyond the outage
        scene.closed(position, within_s=30)

Its name says what it shows; `exits=` is how many exit orders the exchange must have executed (1). Whatever it
looks at itself, `judging` reads the simulator's ledger and Robson's event log afterwards, so a drill need not
repeat: no violation, no debt, nothing left open, as many exits as declared, protected again within what was
allowed, and every event true. A drill ends flat, and may leave processes, servers and faults as it likes.

`registry`  the drills by row, and the rows that do not apply, with the reason
`scene`     what a drill works with: one account of its own, and words for what happens
`stage`     servers, simulator and processes, private to one lane; `servers` are the two that can be killed
`judging`   the verdict          `lane`, `running`  drills run in lanes, each a process with its own stage
`report`    table and JSON       `settings`         those of production, with a faster poll

The drills themselves, by theme: `processes`, `feed`, `orders`, `holdings`, `infrastructure`. `controls` are
drills that must fail.
"""
