"""A ``pcapdx live`` that runs."""

import signal
import subprocess
import sys
import threading

PCAPDX = (sys.executable, "-m", "pcapdx")


class Live:
    """A running ``pcapdx live``, its standard error read as it comes."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(iter(self.process.stderr.readline, ""))

    def says(self, words: str) -> bool:
        return any(words in line for line in list(self.said))

    def interrupt(self) -> str:
        """Ctrl-C; what comes on standard output then."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        report = self.process.stdout.read()
        self.process.wait(20)
        self._reader.join(5)
        return report
