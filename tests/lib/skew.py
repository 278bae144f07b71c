"""Processes that believe in another time of the day (libfaketime). Clocks that
only go forward, for durations, are left alone."""
import subprocess


def _library():
    """As the loader wants it, whatever the architecture."""
    return subprocess.run(
        ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"], check=True,
        capture_output=True, text=True).stdout.strip()


def _environment(**how):
    return {"LD_PRELOAD": _library(), "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1", **how}


def off(seconds):
    """The variables of a process whose clock is off by so much."""
    return _environment(FAKETIME=f"{seconds:+d}")


class Clock:
    """A clock that can be set while processes look at it."""

    def __init__(self, file):
        self.file = file
        self.set(0)

    def set(self, seconds):
        """Off by so much, from now on."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.chmod(0o644)
        fresh.rename(self.file)

    def environment(self):
        return _environment(FAKETIME_TIMESTAMP_FILE=str(self.file),
                            FAKETIME_NO_CACHE="1")
