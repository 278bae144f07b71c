#!/usr/bin/python3
"""Run test suites, two at a time and one that mostly waits, and count.

    scripts/run-tests.py [-j N] [-v] [-t SECONDS] [-a PATH]... [-r PATH]...
                         [-w PATH]... FLAVOUR:PATH...

A suite is a cmocka program or a Python file of unittest cases. It finds what
it tests in the folder that PGREKEY_BUILD names, B/FLAVOUR. One line per suite;
the output of those that fail, in full. The last line is "N passed, N failed".
A skipped test, a suite without tests, a non-zero status, a sanitizer's report
from any process of the suite: each is a failure.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

CMOCKA_OK = re.compile(r"^\[ +OK \]", re.M)
CMOCKA_BAD = re.compile(r"^\[ +(?:FAILED|SKIPPED) +\] (\d+) test", re.M)
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in", re.M)
UNITTEST_BAD = re.compile(
    r"(?:failures|errors|skipped|expected failures|unexpected successes)"
    r"=(\d+)")

SANITIZERS = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
# No status of the program itself, so that a test that expects a failure
# cannot take a sanitizer's exit for it.
SANITIZER_STATUS = 99

STILL = ["setarch", "--addr-no-randomize"]

# Heavy tests do less under a sanitizer.
SLOW = ("asan", "tsan")

# A ticket of sudo's is good for fifteen minutes, some have it shorter.
SUDO_EVERY = 50

live = set()
live_lock = threading.Lock()
stopping = threading.Event()


def environment(flavour, build, reports):
    env = dict(os.environ, PGREKEY_BUILD=build, PYTHONDONTWRITEBYTECODE="1")
    if flavour in SLOW:
        env.setdefault("PGREKEY_TEST_SCALE", "0.1")
    for name in SANITIZERS:
        env[name] = ":".join(filter(None, [
            os.environ.get(name), f"log_path={reports}/report",
            f"exitcode={SANITIZER_STATUS}", "print_stacktrace=1"]))
    return env


def command(flavour, path):
    """ThreadSanitizer of older compilers cannot live with much randomness in
    the layout of memory; not everybody may read how much there is."""
    argv = [os.path.abspath(path)]
    if path.endswith(".py"):
        folder, name = os.path.split(path)
        argv = ["/usr/bin/python3", "-m", "unittest", "discover", "-v",
                "-s", folder, "-p", name]
    if flavour == "tsan" and not subprocess.call(
            [*STILL, "true"], stderr=subprocess.DEVNULL):
        argv = STILL + argv
    return argv


def borrow_root():
    """Some suites need root for a moment and take it by `sudo -n`, so somebody
    has to give the password now. Sudo asks once; what it remembers must not
    become too old meanwhile."""
    if os.geteuid() == 0 or not shutil.which("sudo"):
        return
    quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if not subprocess.call(["sudo", "-n", "true"], **quiet):
        return
    print("Some of the tests need root for a moment.", file=sys.stderr)
    if subprocess.call(["sudo", "-v"]):
        return

    def refresh():
        while not stopping.wait(SUDO_EVERY):
            subprocess.call(["sudo", "-n", "-v"], **quiet)

    threading.Thread(target=refresh, daemon=True).start()


def end(process, seconds=20):
    """Ask the group to clean up after itself, as Ctrl-C would; then insist."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def execute(argv, env, log, timeout):
    """The exit status, or None if the suite had to be stopped."""
    with live_lock:
        if stopping.is_set():
            return None
        try:
            # A group, so that end() reaches all of it; no session of its
            # own, since sudo's ticket is the session's.
            process = subprocess.Popen(argv, env=env, stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL,
                                       preexec_fn=os.setpgrp)
        except OSError as failure:
            log.write(f"{failure}\n".encode())
            return 127
        live.add(process)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        end(process)
        return None
    finally:
        live.discard(process)


def count(path, output):
    """Tests that passed and failed, as far as the output tells."""
    if not path.endswith(".py"):
        return (len(CMOCKA_OK.findall(output)),
                sum(map(int, CMOCKA_BAD.findall(output))))
    ran = sum(map(int, UNITTEST_RAN.findall(output)))
    tail = output[output.rfind("\nRan "):]
    bad = sum(map(int, UNITTEST_BAD.findall(tail)))
    return max(0, ran - bad), bad


def run(suite, options):
    """Passed, failed, and what to print."""
    flavour, path = suite.split(":", 1)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pgrekey-test-") as folder, \
            open(os.path.join(folder, "output"), "w+b") as log:
        build = os.path.join(options.build, flavour)
        env = environment(flavour, build, folder)
        status = execute(command(flavour, path), env, log, options.timeout)
        log.seek(0)
        output = log.read().decode(errors="replace")
        reports = [report.read_text(errors="replace") for report
                   in sorted(pathlib.Path(folder).glob("report*"))]
    passed, failed = count(path, output)
    notes = []
    if status is None:
        notes.append("stopped: it took too long, or was interrupted")
    elif status and not failed:
        notes.append(f"ended with status {status}")
    if passed + failed == 0:
        notes.append("has no tests")
    failed = failed + len(reports) or len(notes[:1])
    seconds = time.monotonic() - started
    line = (f"{'FAIL' if failed else 'ok':4} {flavour:8} {path:44}"
            f"{passed + failed:5} tests {seconds:7.1f} s")
    if failed or options.verbose:
        line = "\n".join([output.rstrip(), *reports, *notes, line])
    return passed, failed, line


def stop(*_):
    raise KeyboardInterrupt


def run_all(lanes, options):
    """Passed and failed. A lane is suites, and how many of them at a time."""
    passed = failed = 0
    if stopping.is_set():
        return 0, 0
    with contextlib.ExitStack() as stack:
        pools = [stack.enter_context(
            concurrent.futures.ThreadPoolExecutor(jobs)) for _, jobs in lanes]
        futures = [pool.submit(run, suite, options)
                   for pool, (suites, _) in zip(pools, lanes)
                   for suite in suites]
        try:
            for future in concurrent.futures.as_completed(futures):
                good, bad, line = future.result()
                passed += good
                failed += bad
                print(line, flush=True)
        except KeyboardInterrupt:
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)
            with live_lock:
                stopping.set()
                processes = list(live)
            for process in processes:
                end(process)
            print("interrupted", file=sys.stderr)
            failed += 1
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("-t", "--timeout", type=float, default=600)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-b", "--build", default="build")
    parser.add_argument("-a", "--alone", action="append", default=[],
                        metavar="PATH", help="run it with no other beside it")
    parser.add_argument("-r", "--root", action="append", default=[],
                        metavar="PATH", help="it uses sudo -n")
    parser.add_argument("-w", "--waits", action="append", default=[],
                        metavar="PATH", help="it needs no core of its own")
    parser.add_argument("suites", nargs="+", metavar="FLAVOUR:PATH")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)

    def among(paths):
        return [s for s in options.suites if s.split(":", 1)[1] in paths]

    if among(options.root):
        borrow_root()
    alone, waits = among(options.alone), among(options.waits)
    shared = [s for s in options.suites if s not in alone + waits]
    counts = [run_all([(shared, options.jobs), (waits, 1)], options),
              run_all([(alone, 1)], options)]
    passed, failed = map(sum, zip(*counts))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
