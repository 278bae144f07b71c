"""How the benchmarks print: Markdown to stdout, what goes on to stderr."""
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.pgrekey import BUILD  # noqa: E402


def say(text):
    print(text, file=sys.stderr, flush=True)


def row(cells):
    print("| " + " | ".join(cells) + " |")


def head(*cells):
    row(cells)
    row(["---"] + ["--:"] * (len(cells) - 1))


def machine():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(": ")[2]
    openssl = subprocess.run(["openssl", "version"], check=True,
                             capture_output=True, text=True).stdout.split()[1]
    return f"OpenSSL {openssl}; {os.cpu_count()} x {model}; {BUILD}"
