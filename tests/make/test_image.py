"""The image, as far as it can be tested without a container engine, and what
`make install` puts where."""

import fnmatch
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

DOCKERFILE = pathlib.Path("docker/Dockerfile")
COMPOSE = pathlib.Path("docker/compose.yaml")
LEFT_OUT = pathlib.Path("docker/Dockerfile.dockerignore")
# What a user may have beside the source: keys, history, what was built.
PLANTED = ("docker/etc/keys/key_1", ".git/config", "build/release/pgrekey")
INSTALLED = {
    "usr/bin/pgrekey": 0o755,
    "usr/share/doc/pgrekey/pgrekey.ini": 0o644,
    "usr/share/man/man1/pgrekey.1": 0o644,
}


def output(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def clean_environment():
    """No flags of a make that may have started this test."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("MAKE", "MFLAGS", "PGREKEY"))}


def copy_context(tree, to):
    """What docker sends of tree: a pattern is a path from its top."""
    patterns = LEFT_OUT.read_text().split()

    def left_out(folder, names):
        below = pathlib.PurePath(folder).relative_to(tree)
        return [name for name in names
                if any(fnmatch.fnmatchcase(str(below / name), pattern)
                       for pattern in patterns)]

    shutil.copytree(tree, to, ignore=left_out)


class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """What the first stage of the Dockerfile does, in a copy."""
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.source = pathlib.Path(folder.name, "source")
        cls.out = pathlib.Path(folder.name, "out")
        tree = pathlib.Path(folder.name, "tree")
        shutil.copytree(".", tree, ignore=shutil.ignore_patterns(
            ".git", "build"))
        for name in PLANTED:
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("planted")
        copy_context(tree, cls.source)
        cls.built = subprocess.run(
            ["scripts/docker-build.sh", cls.out], cwd=cls.source,
            env=clean_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_keys_beside_the_compose_file_are_not_copied(self):
        """The directory that compose mounts is no part of the image."""
        mounted = [volume for volume in yaml.safe_load(COMPOSE.read_text())
                   ["services"]["pgrekey"]["volumes"] if "./etc" in volume]
        self.assertEqual(len(mounted), 1)
        for path in self.source.rglob("*"):
            self.assertFalse(path.is_file() and
                             path.read_bytes() == b"planted", path)

    def test_keys_beside_the_compose_file_are_not_committed(self):
        self.assertIn("/docker/etc/",
                      pathlib.Path(".gitignore").read_text().split())

    def test_the_script_builds_and_installs(self):
        self.assertEqual(self.built.returncode, 0, self.built.stdout)
        found = {str(path.relative_to(self.out)): path.stat().st_mode & 0o777
                 for path in self.out.rglob("*") if path.is_file()}
        self.assertEqual(found, INSTALLED)

    def test_the_installed_program_runs(self):
        version = output(self.out / "usr/bin/pgrekey", "--version")
        self.assertRegex(version, r"\b\d+\.\d+\.\d+\b")

    def test_the_image_has_the_libraries_the_program_needs(self):
        installed = set(re.findall(r"\b(?:lib|ca-)[\w-]+",
                                   DOCKERFILE.read_text().split("FROM")[-1]))
        needed = re.findall(r"NEEDED\s+(\S+)", output(
            "objdump", "-p", self.out / "usr/bin/pgrekey"))
        self.assertGreater(len(needed), 3)
        for library in needed:
            owner = output("dpkg", "-S", f"*/{library}").split(":")[0]
            self.assertIn(owner, installed | {"libc6"}, library)

    def test_the_program_is_hardened(self):
        dump = output("readelf", "-W", "-h", "-l", "-d",
                      self.out / "usr/bin/pgrekey")
        for sign in (r"Type:\s+DYN", r"GNU_RELRO", r"BIND_NOW|NOW PIE",
                     r"GNU_STACK.* RW "):
            self.assertRegex(dump, sign)

    def test_uninstall_leaves_nothing_of_install(self):
        into = self.out.with_name("uninstall")
        where = ["PREFIX=/opt/x", f"DESTDIR={into}"]
        for goal in ("install", "uninstall"):
            subprocess.run(["make", "-s", goal, *where], cwd=self.source,
                           env=clean_environment(), check=True,
                           stdout=subprocess.DEVNULL)
        self.assertEqual([p for p in into.rglob("*") if p.is_file()], [])
        self.assertFalse((into / "opt/x/share/doc/pgrekey").exists())

    def test_the_flags_of_the_user_win(self):
        """They come after ours, in every flavour, and nothing is dropped."""
        for flavour in ("release", "asan"):
            lines = output("make", "-n", "-B", "-C", self.source,
                           "V=1", "CC=my-cc", "CFLAGS=-O3 -Dmine",
                           "CPPFLAGS=-Dcpp", "LDFLAGS=-Lld",
                           f"FLAVOUR={flavour}", "all")
            compiled = re.findall(r"my-cc .*-c -o .*", lines)
            self.assertGreater(len(compiled), 10)
            for line in compiled:
                self.assertRegex(line, r"-Wall .*-O3 -Dmine .*-Dcpp")
            self.assertRegex(lines, r"my-cc .*-Lld .*-o \S*pgrekey ")

    def test_the_demo_of_the_image_writes_nothing_beside_itself(self):
        """Its user owns nothing of what the stage before has built."""
        stage = re.search(r"AS demo\n(.*?)\nFROM", DOCKERFILE.read_text(), re.S)
        user = re.search(r"^USER (\S+)", stage[1], re.M)[1]
        command = json.loads(re.search(r"^CMD (.*)", stage[1], re.M)[1])
        self.source.parent.chmod(0o755)
        subprocess.run(["chmod", "-R", "a-w", self.source], check=True)
        self.addCleanup(subprocess.run,
                        ["chmod", "-R", "u+w", self.source], check=True)
        done = subprocess.run(
            command, cwd=self.source, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**clean_environment(),
                                           "ROWS": "1000"},
            user=user if os.geteuid() == 0 else None)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("All is well.", done.stdout)

    def test_the_image_does_not_run_as_root(self):
        for stage in DOCKERFILE.read_text().split("FROM ")[2:]:
            users = re.findall(r"^USER (\S+)", stage, re.M)
            self.assertEqual(len(users), 1, stage)
            self.assertNotIn(users[0], ("root", "0"))

    def test_compose_has_postgresql_15_and_the_demo(self):
        services = yaml.safe_load(COMPOSE.read_text())["services"]
        self.assertEqual(services["db"]["image"], "postgres:15")
        self.assertEqual(services["demo"]["profiles"], ["demo"])
        for service in services.values():
            self.assertNotIn("ports", service)
            self.assertNotIn("privileged", service)
            if "build" in service:
                self.check_build(service["build"])

    def check_build(self, build):
        context = COMPOSE.parent / build["context"]
        self.assertTrue((context / build["dockerfile"]).samefile(DOCKERFILE))
        stages = re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE.read_text(),
                            re.M)
        self.assertIn(build.get("target"), [None, *stages])


if __name__ == "__main__":
    unittest.main()
