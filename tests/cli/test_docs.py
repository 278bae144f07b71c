"""What the documents tell people to type is what the program understands."""
import json
import re
import unittest

import yaml

from program import ROOT, Case

README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
MANUAL = (ROOT / "docs/pgrekey.1").read_text()


def blocks(text, kind):
    """The fenced blocks of one kind, without the indent of their list."""
    for indent, body in re.findall(
            rf"^( *)```{kind}\n(.*?)^ *```$", text, re.M | re.S):
        yield re.sub(rf"^{indent}", "", body, flags=re.M)


def commands(text):
    """Arguments of every call of the program in shell lines."""
    for line in text.splitlines():
        for call in re.findall(r"(?:^|[\s/=])pgrekey ((?!pgrekey )[a-z][^|;#>]*)", line):
            yield call.split()


class Documents(Case):
    def accepts(self, text, at_least):
        found = [words for words in commands(text)]
        self.assertGreaterEqual(len(found), at_least)
        for words in found:
            self.run_it(*words, "--help")

    def test_the_commands_of_the_readme_are_understood(self):
        self.accepts("".join(blocks(README, "sh")), 6)

    def test_the_examples_of_the_manual_are_understood(self):
        self.accepts("\n".join(re.findall(r"^\.Dl \$ (.*)", MANUAL, re.M)), 3)

    def test_cron_and_systemd_start_what_is_understood(self):
        lines = re.findall(r"^(?:ExecStart=|[\d*]+ [\d*]+ .*?pgrekey  )(.*)",
                           README + OPERATIONS, re.M)
        self.assertEqual(len(lines), 4)
        for line in lines:
            # cron's own PATH has no /usr/local/bin.
            self.assertTrue(line.startswith("/usr/local/bin/pgrekey "), line)
        self.accepts("\n".join(lines), 4)

    def test_the_verdicts_of_all_documents_are_those_of_the_program(self):
        source = (ROOT / "src/format/verdict.c").read_text()
        verdicts = re.findall(r'\[VERDICT_\w+\] = "(\w+)"', source)
        self.assertGreater(len(verdicts), 5)
        schema = json.loads((ROOT / "docs/report.schema.json").read_text())
        self.assertEqual(schema["$defs"]["verdict"]["enum"], verdicts)
        table = README.split("## Verdicts")[1].split("##")[0]
        rows = "".join(re.findall(r"(?m)^\| (`.*?`) \|", table))
        self.assertEqual(re.findall(r"`(\w+)`", rows), verdicts)

    def test_the_configurations_are_understood(self):
        texts = [*blocks(README, "ini"), self.cron_job()[0]]
        for text in texts:
            self.assertIn("[table credentials]", text)
            path = self.config(re.sub(r"(?m)^directory = .*",
                                      f"directory = {self.keys}", text))
            self.run_it("keygen", "key_2024_02", "-c", path)
            self.run_it("keys", "-c", path)
            (self.keys / "key_2024_02").unlink()

    def cron_job(self):
        documents = [part for text in blocks(OPERATIONS, "yaml")
                     for part in yaml.safe_load_all(text)]
        self.assertEqual([d["kind"] for d in documents],
                         ["ConfigMap", "CronJob"])
        return (documents[0]["data"]["pgrekey.ini"],
                documents[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"])

    def test_the_cron_job_starts_what_is_understood_with_what_it_mounts(self):
        _, pod = self.cron_job()
        container = pod["containers"][0]
        self.run_it(*container["args"], "--help")
        self.assertEqual({m["name"] for m in container["volumeMounts"]},
                         {v["name"] for v in pod["volumes"]})
        self.assertIn("/etc/pgrekey/conf/pgrekey.ini", container["args"])
        # The user of the image, and a group that can read the keys.
        dockerfile = (ROOT / "docker/Dockerfile").read_text()
        user = re.findall(r"^USER (\d+)", dockerfile, re.M)[-1]
        self.assertEqual(pod["securityContext"]["runAsUser"], int(user))
        self.assertEqual(pod["securityContext"]["fsGroup"], int(user))


if __name__ == "__main__":
    unittest.main()
