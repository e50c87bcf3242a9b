"""A server as a child process, for as long as a block lasts; subclasses say how it is started and when it answers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

from pycore.rehearsal.serving import free_port, stop
from tools.process import Failed


class ChildServer:
    """`folder` is where it runs; what it says goes to the file `log` there."""

    START_TIMEOUT: ClassVar[float]
    """Seconds until it must answer."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder.resolve()
        self.log = self.folder / "server.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The command line, for `port`."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str] | None:
        """Its environment variables; None: this process's."""
        return None

    def answers(self) -> bool:
        """Whether it answers by now."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        self.port = free_port()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            stop(self._process)
            self._process = None

    def start(self) -> None:
        """Begin, or begin again after `end`, on the same port; returns when it answers."""
        command, variables = self.command(), self.environment()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, env=variables, stdout=log, stderr=log)
        self._wait()

    def end(self, number: int) -> None:
        """Send it a signal that ends it, and wait."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    @property
    def running(self) -> bool:
        """Whether it was begun and not ended."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def text(self) -> str:
        """What it has said so far."""
        return self.log.read_text("utf-8", "replace") if self.log.is_file() else ""

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self.START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise Failed(f"{self.name} ended with status {self._process.returncode}:\n{self.text()[-3000:]}")
            if self.answers():
                return
            time.sleep(0.05)
        raise Failed(f"{self.name} did not answer within {self.START_TIMEOUT:g} s:\n{self.text()[-3000:]}")
