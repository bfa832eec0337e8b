"""`make install`: run `pip install`, and say in one line what it is doing.

On a terminal the line is rewritten every second; elsewhere, as in CI, only stages and large downloads are
printed. pip's own output, hundreds of lines, is shown if it fails.
"""

import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

COLLECTING = re.compile(r"\s*Collecting ([\w.-]+)")
DOWNLOADING = re.compile(r"\s*(?:Downloading|Using cached) (\S+?)-\d\S* \((?:([\d.]+) (\w?B))\)")
INSTALLING = re.compile(r"\s*Installing collected packages: (.+)")
LARGE_MB, TICK_S, WIDTH = 20.0, 1.0, 79
PIP = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")


def stages(line: str, seen: int) -> tuple[str, bool] | None:
    """Return what a line of pip says it is doing, and whether that is worth a line in a log."""
    if found := COLLECTING.match(line):
        return f"looking for {found[1]} (package {seen + 1})", False
    if found := DOWNLOADING.match(line):
        return f"downloading {found[1]} ({found[2]} {found[3]})", found[3] == "MB" and float(
            found[2]
        ) >= LARGE_MB
    if found := INSTALLING.match(line):
        return f"unpacking {found[1].count(',') + 1} packages", True
    return None


def lines_of(process: "subprocess.Popen[str]") -> Iterator[str | None]:
    """Yield the lines of a process, and None for each second without one."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=TICK_S)
        except queue.Empty:
            yield None
            continue
        if line == "":
            return
        yield line


def install(arguments: list[str], *, pip: tuple[str, ...] = PIP) -> int:
    """Run pip with these arguments. Returns its exit code."""
    is_terminal, started_at = sys.stdout.isatty(), time.monotonic()
    output, stage, packages = [], "", 0
    with subprocess.Popen(  # noqa: S603  our own interpreter
        [*pip, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in lines_of(process):
            found = None if line is None else stages(line, packages)
            if line is not None:
                output.append(line)
                packages += COLLECTING.match(line) is not None
            stage = found[0] if found else stage
            if is_terminal and stage:
                minutes, seconds = divmod(int(time.monotonic() - started_at), 60)
                sys.stdout.write(f"\r\033[K{f'{minutes}:{seconds:02} {stage}':.{WIDTH}}")
            elif found and found[1]:
                sys.stdout.write(f"{stage}\n")
            sys.stdout.flush()
    if is_terminal:
        sys.stdout.write("\r\033[K")
    if process.returncode:
        sys.stderr.write("".join(output))
    return process.returncode


if __name__ == "__main__":
    sys.exit(install(sys.argv[1:]))
