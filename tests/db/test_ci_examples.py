"""The CI examples of docs/ci.md do what they promise, as they are written.

What a CI system does with them is done here: its variables are set, each step
runs in the shell that the system would use. Only the host and the name of the
database are others.
"""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import junit, oracle, zoo  # noqa: E402
from lib.pgrekey import LOUD, ROOT  # noqa: E402
from lib.scene import Scene  # noqa: E402

TEXT = (ROOT / "docs/ci.md").read_text()


def setUpModule():
    Scene.open()


def block(language, heading=""):
    """The first code block of that language below the heading."""
    return re.search(rf"{re.escape(heading)}.*?```{language}\n(.*?)```", TEXT,
                     re.S)[1]


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.ring = oracle.Ring.fresh("key_2024", primary="key_2025")
        self.sql("CREATE TABLE credentials (id int PRIMARY KEY, secret text,"
                 " other text)")
        self.sql(block("sql"))
        self.addCleanup(self.sql, "DROP OWNED BY pgrekey_verify;"
                        " DROP ROLE pgrekey_verify")
        self.sql("INSERT INTO credentials VALUES (1, %s)",
                 self.ring.seal(zoo.plain("current")))
        # A checkout of the sources, and nothing of what runs this test.
        self.checkout = self.folder / "checkout"
        self.checkout.mkdir()
        for name in ("Makefile", "src", "include", "scripts", "conf", "docs",
                     "tests", "build"):
            (self.checkout / name).symlink_to(ROOT / name)
        (self.folder / "home").mkdir()
        (self.folder / "runner").mkdir()

    def environment(self, variables, **more):
        calm = {name: value for name, value in os.environ.items()
                if not name.startswith((*LOUD, "MAKE", "MFLAGS"))}
        self.assertEqual(variables["PGHOST"], "db.example.com")
        return {**calm, **variables, "PGHOST": str(self.cluster.socket),
                "PGDATABASE": self.database, "HOME": f"{self.folder}/home",
                **more}

    def run_shell(self, argv, script, env):
        """The status; whatever is printed must hold no secret."""
        done = subprocess.run([*argv, script], cwd=self.checkout, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=300, umask=0o022)
        for key in self.ring.keys.values():
            self.assertNotIn(key, done.stdout + done.stderr)
        self.said = f"{script}\n{done.stdout}\n{done.stderr}"
        return done.returncode

    def check(self, run, report):
        """run() is the whole job and returns its status."""
        self.assertEqual(run(), 0, self.said)
        root = junit.parse(report.read_text())
        self.assertEqual(list(junit.errors(root)), [])
        self.assertEqual(junit.failures(root), {})
        self.sql("INSERT INTO credentials VALUES (2, %s)",
                 self.ring.seal(zoo.plain("old"), "key_2024"))
        self.assertEqual(run(), 1, self.said)
        failures = junit.failures(junit.parse(report.read_text()))
        self.assertEqual(list(failures), [
            ("public.credentials",
             "secret: every value is sealed by the primary")])
        self.assertFalse(list(self.folder.rglob("*/keys/key_*")),
                         "the keys are still there")
        beside = report.with_name("pgrekey.ini")
        self.assertEqual(beside.stat().st_mode & 0o777, 0o600,
                         "files beside the keys are open to others")


class GitHub(Base):
    SECRETS = re.compile(r"\$\{\{ secrets\.(\w+) \}\}")

    def setUp(self):
        super().setUp()
        self.workflow = yaml.safe_load(block("yaml", "## GitHub Actions"))
        self.job, = self.workflow["jobs"].values()
        self.secrets = {name.upper(): key
                        for name, key in self.ring.keys.items()}
        self.secrets["DATABASE_PASSWORD"] = "x"

    def expand(self, variables):
        return {name: self.SECRETS.sub(lambda m: self.secrets[m[1]], value)
                for name, value in variables.items()}

    def run_job(self):
        """Steps behind a failed one run only if they say always()."""
        status = 0
        for step in self.job["steps"]:
            if "run" not in step or (status and step.get("if") != "always()"):
                continue
            env = self.environment(
                self.expand(self.job["env"]),
                **self.expand(step.get("env", {})),
                RUNNER_TEMP=str(self.folder / "runner"))
            status = self.run_shell(["bash", "-e", "-c"], step["run"],
                                    env) or status
        return status

    def test_the_job_is_green_when_all_is_well_and_red_when_not(self):
        self.check(self.run_job, self.folder / "runner/pgrekey.xml")

    def test_the_workflow_has_what_github_asks_for(self):
        self.assertLessEqual(
            set(self.workflow), {"name", True, "permissions", "jobs"})
        self.assertIn("schedule", self.workflow[True])  # "on", in YAML 1.1
        self.assertIn("runs-on", self.job)
        for step in self.job["steps"]:
            self.assertEqual(("run" in step) + ("uses" in step), 1, step)
        upload = [step for step in self.job["steps"]
                  if step.get("uses", "").startswith("actions/upload")]
        self.assertEqual([(step["if"], step["with"]["path"])
                          for step in upload],
                         [("always()", "${{ runner.temp }}/pgrekey.xml")])


class GitLab(Base):
    def setUp(self):
        super().setUp()
        pipeline = yaml.safe_load(block("yaml", "## GitLab CI"))
        self.job, = pipeline.values()

    def run_job(self):
        files = {}
        for name, key in self.ring.keys.items():
            file = self.folder / f"variable-{name}"
            file.write_text(key)
            files[name.upper()] = str(file)
        env = self.environment(self.job["variables"], **files,
                               CI_PROJECT_DIR=str(self.checkout))
        status = self.run_shell(["bash", "-eo", "pipefail", "-c"],
                                "\n".join(self.job["script"]), env)
        said = self.said
        self.run_shell(["bash", "-c"], "\n".join(self.job["after_script"]),
                       env)
        self.said = said
        return status

    def test_the_job_is_green_when_all_is_well_and_red_when_not(self):
        self.check(self.run_job, self.checkout / "pgrekey.xml")

    def test_the_job_has_what_gitlab_asks_for(self):
        self.assertLessEqual(set(self.job), {
            "image", "rules", "variables", "script", "after_script",
            "artifacts"})
        for lines in (self.job["script"], self.job["after_script"]):
            self.assertTrue(all(isinstance(line, str) for line in lines))
        self.assertEqual(self.job["artifacts"], {
            "when": "always", "reports": {"junit": "pgrekey.xml"}})


if __name__ == "__main__":
    unittest.main()
