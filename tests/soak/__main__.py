"""`python -m tests.soak`: the whole system under random prices, owner actions and faults."""

import argparse
import json
import secrets
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.soak import schedule, stage, summary
from tests.soak.stage import Stage
from tests.soak.summary import Result

LAST_LINES = 40


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    plan = schedule.plan(seed, options.minutes)
    # Said for both: who starts it in the background may have had Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    _say(f"seed {seed}: {len(plan.prints)} prices, {len(plan.deeds)} deeds, {len(plan.faults)} faults")
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-seed-{seed}"
    try:
        with stage.opened(name, _say) as opened:
            result = _run(opened, plan)
    except KeyboardInterrupt:
        _say("interrupted before it began")
        return 130
    lines = [json.dumps(summary.as_json(result), indent=2)] if options.json else summary.told(result)
    for line in lines:
        print(line)
    return 0 if result.held and not result.interrupted else 130 if result.held else 1


def _run(opened: Stage, plan: schedule.Schedule) -> Result:
    # It needs Django, which the stage has just set up.
    from tests.soak import timeline
    from tests.soak.run import Soak

    soak = Soak(opened, plan, _say)
    result = soak.run()
    if result.held:
        return result
    kept = opened.keep_logs()
    orders = opened.simulator.control.orders()
    for symbol in result.offending:
        lines = timeline.of_pair(symbol, soak.diary, orders)
        (kept / f"{symbol}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        _say(f"{symbol}, the last of {len(lines)} lines (all of them in {kept / symbol}.txt):")
        for line in lines[-LAST_LINES:]:
            _say(f"  {line}")
    (kept / "summary.json").write_text(json.dumps(summary.as_json(result), indent=2), encoding="utf-8")
    _say(f"logs of all processes: {kept / 'logs'}")
    _say(f"the same again: make soak MINUTES={plan.minutes:g} SEED={plan.seed}")
    return result


def _parser() -> argparse.ArgumentParser:
    line = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    line.add_argument("--minutes", type=float, default=20.0)
    line.add_argument("--seed", type=int, help="without one, a seed is drawn and printed")
    line.add_argument("--json", action="store_true", help="print the summary as JSON")
    return line


def _say(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
