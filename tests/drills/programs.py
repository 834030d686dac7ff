"""Robson's processes on a stage: each can be killed, stopped and started; what dies by itself is revived."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import psutil

from robson.local import children
from robson.local.commands import Service
from robson.local.supervisor import Running, Supervisor


class Programs:
    """Processes by name. What a drill has taken down stays down until it is started again."""

    def __init__(self, services: Iterable[Service], environment: Mapping[str, str]) -> None:
        self._known = {service.name: service for service in services}
        self._supervisor = Supervisor(environment, say=self._hear)
        self.ended: list[str] = []
        """What the supervisor said of processes that ended by themselves."""

    def start(self, *names: str) -> None:
        """Start these together and wait until each is ready. Raises StartError with the log of one."""
        self._supervisor.start([self._known[name] for name in names])

    def start_another(self, name: str) -> str:
        """Start one more process of a kind; answers its own name, which it keeps."""
        twin = f"{name}-again"
        service = self._known[name]
        arguments = tuple(part.replace("@%h", "-again@%h") for part in service.arguments)
        self._known[twin] = replace(service, name=twin, arguments=arguments)
        self.start(twin)
        return twin

    def kill(self, *names: str) -> None:
        """SIGKILL, to each and to everything that it has started."""
        for running in [self._take(name) for name in names]:
            children.kill(running.child)

    def stop(self, *names: str) -> None:
        """SIGTERM, and wait for each to end."""
        for running in [self._take(name) for name in names]:
            children.stop(running.child, grace_s=running.service.grace_s)

    def hang(self, name: str) -> None:
        """From now on it is there and does nothing (SIGSTOP), until `resume`."""
        for process in self._processes(name):
            process.suspend()

    def resume(self, name: str) -> None:
        for process in self._processes(name):
            process.resume()

    def have(self, names: Iterable[str]) -> None:
        """Have exactly these up."""
        wanted = set(names)
        self.stop(*(self.up() - wanted))
        self.start(*sorted(wanted - self.up()))

    def up(self) -> set[str]:
        """The names of those that run, or are about to be revived."""
        return {running.service.name for running in self._running()}

    def tend(self) -> None:
        """Revive what has ended by itself, as `make run` does. Call it a few times a second."""
        self._supervisor.tend()

    def close(self) -> None:
        self._supervisor.stop()

    def _running(self) -> list[Running]:
        return [running for batch in self._supervisor.batches for running in batch]

    def _take(self, name: str) -> Running:
        for batch in self._supervisor.batches:
            for running in batch:
                if running.service.name == name:
                    batch.remove(running)
                    return running
        raise LookupError(f"{name} does not run")

    def _processes(self, name: str) -> list[psutil.Process]:
        first = psutil.Process(next(r.child.pid for r in self._running() if r.service.name == name))
        return [first, *first.children(recursive=True)]

    def _hear(self, line: str) -> None:
        if "ended with code" in line:
            self.ended.append(line)
