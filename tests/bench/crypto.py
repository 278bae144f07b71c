"""Crypto alone, against what OpenSSL itself says it takes.

The bare limit of a value: 3 HMAC-SHA-256 (the old envelope, the new one, and
the check of the new one), 2 decryptions and 1 encryption with AES-128-CBC of
as many bytes as the plaintext has, at the speeds of `openssl speed`. pgrekey
does four passes of base64, and the check of each new envelope, beside that.
"""
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.pgrekey import BUILD  # noqa: E402

SIZES = (64, 1024)
SECONDS = 1
VALUES = 1000
TOOL = Path(__file__).resolve().parents[2] / BUILD / "tests/judge_speed"
LIMIT = {("-hmac", "sha256"): 3,
         ("-evp", "aes-128-cbc", "-decrypt"): 2,
         ("-evp", "aes-128-cbc"): 1}


def openssl_seconds(size, arguments):
    """Of one operation: it reports bytes per second."""
    out = subprocess.run(
        ["openssl", "speed", "-mr", "-seconds", str(SECONDS), "-bytes",
         str(size), *arguments], check=True, capture_output=True, text=True)
    figure = [line for line in out.stdout.splitlines()
              if line.startswith("+F:")][-1]
    return size / float(figure.rpartition(":")[2])


def limit(size):
    """Values per second."""
    return 1 / sum(times * openssl_seconds(size, arguments)
                   for arguments, times in LIMIT.items())


def speed(size, ring, keys):
    """Values per second of CPU."""
    values = "".join(ring.seal(os.urandom(size), "k2023", zoo.THEN + n) + "\n"
                     for n in range(VALUES))
    out = subprocess.run([TOOL, keys, ring.primary, str(SECONDS)],
                         input=values, check=True, capture_output=True,
                         text=True)
    return float(out.stdout)


def crypto_table(rounds, row, head):
    ring = oracle.Ring.fresh("k2023", primary="k2025")
    print()
    head("crypto alone, one thread", "values/s", "bare limit", "ratio")
    with tempfile.TemporaryDirectory(prefix="pgrekey-bench-") as folder:
        keys = ring.write(Path(folder) / "keys")
        for size in SIZES:
            pairs = [(speed(size, ring, keys), limit(size))
                     for _ in range(rounds)]
            ours, bare = map(statistics.median, zip(*pairs))
            row([f"{size:,} bytes", f"{ours:,.0f}", f"{bare:,.0f}",
                 f"{statistics.median(a / b for a, b in pairs):.2f}"])
