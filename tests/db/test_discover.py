"""What discover finds, what it leaves out, and that it can be pasted."""
import base64
import json
import re
import signal
import sys
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.pgrekey import Run  # noqa: E402
from lib.scene import Scene  # noqa: E402

LONG = "Ein sehr langer Name mit Umlauten: äöü, und genau 63 Bytes.!"


def setUpModule():
    Scene.open(log_statement="'all'")


def jwt(i):
    part = [base64.urlsafe_b64encode(text).decode().rstrip("=") for text in
            (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"%d"}' % i, b"x" * 32)]
    return ".".join(part)


class Base(Scene):
    def sealed(self, i=0, key="k2023", dress=str):
        return dress(self.ring.seal(zoo.plain(str(i)), key, zoo.THEN + i))

    def put(self, table, **values):
        names = ", ".join('"' + name.replace('"', '""') + '"'
                          for name in values)
        marks = ", ".join(["%s"] * len(values))
        self.sql(f"INSERT INTO {table} ({names.replace('%', '%%')})"
                 f" VALUES ({marks})", *values.values())

    def discover(self, *arguments, **more):
        return self.tool.run("discover", *arguments, **more)

    def finds(self, *arguments, status=1):
        """{(table, column): column of the report}"""
        result = self.discover("--output", "json", *arguments)
        self.assertExit(status, result)
        return {(table["name"], column["name"]): column
                for table in result.report["tables"]
                for column in table["columns"]}

    def pasted(self, text, *dropped):
        """Adds the text to the file as an operator would, without the
        sections that it replaces, and gives the file's name."""
        file = self.tool.write_config()
        old = file.read_text()
        for label in dropped:
            old, count = re.subn(
                rf"(?ms)^\[table {re.escape(label)}\].*?(?=^\[|\Z)", "", old)
            self.assertEqual(count, 1)
        file.write_text(old + "\n" + text)
        return file

    def program(self, *arguments, env=None):
        return Run(self.tool, arguments, env or {}, 60).finish()

    def configured(self, text, *dropped):
        """What verify looks at once the text is pasted. It may find what it
        likes, but it must understand the file."""
        file = self.pasted(text, *dropped)
        result = self.program(
            "verify", "--config", file, "--output", "json", "--discover")
        self.assertIn(result.status, (0, 1), result)
        return result

    def read_tables(self):
        """{table: how often it was read}, by the server's own log."""
        reads = re.findall(r'COPY \(SELECT .*? FROM ONLY "(\w+)"\."((?:[^"]|'
                           r'"")+)" AS t', self.log())
        return {name: reads.count(name) for name in reads}

    def log(self):
        return self.cluster.server_log()[self.mark:]

    def setUp(self):
        super().setUp()
        self.mark = len(self.cluster.server_log())


class Six(Base):
    """A realistic schema: six encrypted columns, two of them configured."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE credentials (id serial PRIMARY KEY, name text,"
                 " client_secret text, metadata jsonb, token char(400),"
                 " session uuid, cookie text, avatar bytea)")
        self.sql("CREATE TABLE webhooks (id serial, url varchar(200),"
                 " secret varchar(1000), payload json, notes text)")
        self.sql('CREATE TABLE "Audit Log" (id serial, "Old Value" text,'
                 " event jsonb, tags text[])")
        for i in range(30):
            blob = base64.b64encode(bytes(range(i, i + 90))).decode()
            self.put("credentials", name=f"user {i}",
                     client_secret=self.sealed(i),
                     metadata=self.sealed(i, dress=oracle.wrap),
                     token=self.sealed(i, "k2024"),
                     session=str(uuid.uuid4()), cookie=jwt(i),
                     avatar=b"\x89PNG" + bytes(range(i)))
            self.put("webhooks", url=f"https://example.org/{i}",
                     secret=self.sealed(i) if i % 10 == 7 else blob,
                     payload=self.sealed(i, dress=oracle.wrap),
                     notes=[None, "", "enc:", "enc:fernet:", "enc:tink:x",
                            "enc:fernet:k2023:", "enc:fernet:k2023:hello",
                            f"enc:fernet:k2023:{blob}", "enc:plaintext:hallo",
                            "enc:plaintext: marks what was not encrypted",
                            str(uuid.uuid4()), jwt(i), blob,
                            "see enc:fernet:k2023:gAAAA in the manual",
                            "enc:fernet:k2023:gAAAAA" + "B" * 12,
                            self.ring.token(b"bare", "k2023").decode()][i % 16])
            self.put('"Audit Log"', **{"Old Value": self.sealed(i)},
                     event=json.dumps({"a": "enc:fernet:k:x", "b": jwt(i),
                                       oracle.MEMBER: self.sealed(i)}),
                     tags=[self.sealed(i)])
        self.tool.configure(credentials={"columns": "client_secret, metadata"})

    FOUR = {("public.credentials", "token"), ("public.webhooks", "secret"),
            ("public.webhooks", "payload"), ("public.Audit Log", "Old Value")}

    def test_exactly_the_four_missing_ones_are_printed(self):
        result = self.discover()
        self.assertExit(1, result)
        lines = [line for line in result.out.splitlines()
                 if line and not line.startswith(";")]
        self.assertEqual(lines, [
            "[table Audit_Log]",
            'name = public."Audit Log"',
            'columns = "Old Value"',
            "[table credentials]",
            "name = public.credentials",
            "columns = client_secret, metadata, token",
            "[table webhooks]",
            "name = public.webhooks",
            "columns = secret, payload",
        ])
        self.assertIn("replaces [table credentials] of line", result.out)
        self.assertIn("new are token\n", result.out)

    def test_the_report_for_programs_counts_values_and_keys(self):
        found = self.finds()
        self.assertEqual(set(found), self.FOUR)
        column = found["public.webhooks", "secret"]
        self.assertEqual((column["values"], column["keys"]),
                         (3, {"k2023": 3}))
        column = found["public.credentials", "token"]
        self.assertEqual((column["values"], column["keys"]),
                         (30, {"k2024": 30}))

    def test_pasted_it_is_a_configuration_and_then_there_is_none(self):
        text = self.discover().out
        result = self.configured(text, "credentials")
        self.assertEqual({name for name, _ in result.columns()},
                         {"credentials", "webhooks", "Audit_Log"})
        self.assertEqual(len(result.columns()), 6)
        self.assertEqual(result.report["discover"]["unconfigured"], 0)
        file = self.folder / "pgrekey.ini"
        again = self.program("discover", "--config", file)
        self.assertExit(0, again)
        self.assertNotIn("[table", again.out)

    def test_each_table_is_read_once_and_configured_columns_are_not(self):
        self.discover()
        reads = self.read_tables()
        self.assertEqual(set(reads.values()), {1})
        self.assertEqual({name for _, name in reads},
                         {"credentials", "webhooks", "Audit Log"})
        copies = re.findall(r"COPY \(SELECT .*", self.log())
        self.assertEqual(len(copies), 3)
        for copy in copies:
            self.assertNotIn("client_secret", copy)
            self.assertNotIn("metadata", copy)

    def test_the_servers_own_counters_say_once_too(self):
        self.until_alone_with_statistics()
        scans = "SELECT relname, seq_scan FROM pg_stat_user_tables"
        before = dict(self.sql(scans))
        self.discover()
        self.until_alone_with_statistics()
        after = dict(self.sql(scans))
        self.assertEqual({name: after[name] - before[name] for name in after},
                         {"credentials": 1, "webhooks": 1, "Audit Log": 1})

    def until_alone_with_statistics(self):
        self.until_alone()
        self.sql("SELECT pg_stat_clear_snapshot()")

    def test_nothing_is_written_and_no_value_printed(self):
        before = self.snapshot("credentials", "client_secret", "token")
        for arguments in ((), ("--output", "json"), ("--verbose",)):
            result = self.discover(*arguments)  # Tool looks for secrets
            for text in (result.out, result.err):
                self.assertNotIn("https://example.org", text)
                self.assertNotIn("user 1", text)
        self.assertUntouched(
            before, self.snapshot("credentials", "client_secret", "token"))

    def test_the_session_cannot_write(self):
        self.discover()
        self.assertTrue(re.search(
            r"default_transaction_read_only\W+on\b", self.log()))

    def test_verify_does_both(self):
        ring = self.ring
        self.sql("DROP TABLE webhooks")
        self.sql("UPDATE credentials SET client_secret = %s, metadata = %s",
                 ring.seal(b"a"), oracle.wrap(ring.seal(b"b")))
        self.assertExit(0, self.tool.run("verify"))
        result = self.tool.run("verify", "--discover")
        self.assertExit(1, result)
        self.assertIn('columns = "Old Value"', result.out)
        result = self.tool.run("verify", "--discover", "--output", "json")
        self.assertExit(1, result)
        self.assertEqual(result.report["exit"], 1)
        self.assertEqual(result.report["discover"]["unconfigured"], 2)
        result = self.tool.run("verify", "--discover", "--output", "junit")
        self.assertExit(1, result)
        self.assertIn("public.credentials.token", result.out)
        self.sql('DROP TABLE "Audit Log"')
        self.sql("ALTER TABLE credentials DROP token")
        self.assertExit(0, self.tool.run("verify", "--discover"))

    def test_schemas_can_be_chosen(self):
        self.sql("CREATE SCHEMA tenant_7")
        self.sql("CREATE TABLE tenant_7.t (a text)")
        self.put("tenant_7.t", a=self.sealed())
        self.assertEqual(set(self.finds("--schemas", "tenant_*")),
                         {("tenant_7.t", "a")})
        self.assertEqual(set(self.finds("--schemas", "public,x")), self.FOUR)
        for command in ("discover",), ("verify", "--discover"):
            result = self.tool.run(*command, "--schemas", "nothing")
            self.assertExit(2, result)
            self.assertIn("nothing to look at", result.err)
        self.assertExit(2, self.tool.run("verify", "--schemas", "public"))

    def test_a_sample_is_never_clean(self):
        self.assertEqual(set(self.finds("--sample", 100)), self.FOUR)
        self.sql('DROP TABLE webhooks, "Audit Log"')
        self.sql("ALTER TABLE credentials DROP token")
        self.finds(status=0)
        result = self.discover("--sample", 50)
        self.assertExit(6, result)
        self.assertIn("proves nothing", result.out)


class FirstUse(Base):
    def only_database(self, **more):
        file = self.folder / "first.ini"
        file.write_text(f"[database]\nhost = {self.cluster.socket}\n"
                        f"user = postgres\ndbname = {self.database}\n")
        return self.program("discover", "--config", file, **more)

    def test_a_connection_is_all_it_needs(self):
        self.sql("CREATE TABLE t (a text)")
        self.assertExit(0, self.only_database())
        self.put("t", a=self.sealed())
        result = self.only_database()
        self.assertExit(1, result)
        self.assertIn("[table t]\nname = public.t\ncolumns = a\n", result.out)
        self.assertNotIn("keyring", result.out)

    def test_no_file_at_all_will_do(self):
        self.sql("CREATE TABLE t (a text)")
        self.put("t", a=self.sealed())
        result = self.program("discover", env={
            "PGHOST": str(self.cluster.socket), "PGUSER": "postgres",
            "PGDATABASE": self.database})
        self.assertExit(1, result)
        self.assertIn("columns = a\n", result.out)

    def test_a_key_that_nobody_has_is_warned_of(self):
        self.sql("CREATE TABLE t (a text, b text)")
        token = self.ring.token(b"x", "k2023")
        self.put("t", a=oracle.envelope(zoo.LOST, token), b=self.sealed())
        result = self.discover()
        self.assertExit(1, result)
        self.assertIn(f"WARNING: the key {zoo.LOST} is not in the keyring",
                      result.out)
        self.assertEqual(result.out.count("WARNING"), 1)

    def test_marked_plaintext_is_an_envelope(self):
        self.sql("CREATE TABLE t (a text)")
        self.put("t", a=oracle.marked(b"x"))
        found = self.finds()
        self.assertEqual(found["public.t", "a"]["values"], 1)
        self.assertEqual(found["public.t", "a"]["keys"], {})

    def test_a_schema_that_is_called_the_state_schema_is_looked_at(self):
        self.sql("CREATE TABLE t (a text)")
        self.put("t", a=self.sealed())
        self.tool.configure(rotate={"state_schema": "public"})
        self.assertEqual(set(self.finds()), {("public.t", "a")})

    def test_quiet_says_nothing_when_there_is_nothing(self):
        result = self.discover("--quiet")
        self.assertExit(0, result)
        self.assertEqual((result.out, result.err), ("", ""))


class Stopping(Base):
    """A table that somebody holds is waited for; the time is not."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (a text)")
        self.put("t", a=self.sealed())
        self.sql("CREATE TABLE u (a text)")
        holder = self.connect(autocommit=False)
        holder.cursor().execute("LOCK TABLE u IN ACCESS EXCLUSIVE MODE")

    def stopped(self, result):
        self.assertExit(5, result)
        self.assertLess(result.seconds, 20)
        self.assertIn("stopped early", result.out)
        self.assertIn("[table t]", result.out)

    def test_its_time_is_over_while_it_reads(self):
        self.stopped(self.discover("--max-runtime", "500ms"))

    def test_it_is_interrupted_while_it_reads(self):
        run = self.tool.start("discover")
        self.until(lambda: self.value(
            "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted"), "it waits")
        run.send(signal.SIGINT)
        self.stopped(run.finish())


class Types(Base):
    def test_every_type_that_can_hold_text_is_looked_at(self):
        self.sql("CREATE DOMAIN secret AS text")
        self.sql("CREATE DOMAIN deeper AS secret CHECK (value <> '')")
        self.sql("CREATE DOMAIN document AS jsonb")
        self.sql("CREATE EXTENSION citext")
        types = {"a": "text", "b": "varchar(900)", "c": "char(900)",
                 "d": "citext", "e": "deeper", "f": "json", "g": "jsonb",
                 "h": "document", "i": "varchar"}
        self.sql("CREATE TABLE t (" + ", ".join(
            f"{name} {kind}" for name, kind in types.items()) + ")")
        for i in range(3):
            self.put("t", **{
                name: self.sealed(i, dress=oracle.wrap if name in "fgh"
                                  else str) for name in types})
        found = self.finds()
        self.assertEqual({name for _, name in found}, set(types))
        self.assertEqual({c["values"] for c in found.values()}, {3})
        self.assertEqual(
            len(self.configured(self.discover().out).columns()), len(types))

    def test_json_that_the_servers_operators_refuse_is_passed(self):
        self.sql("CREATE TABLE t (a json)")
        self.put("t", a=r'{"a": "\u0000"}')
        self.put("t", a=r'{"sentry_encrypted_field_value": "\u0000"}')
        self.put("t", a="[1, 2]")
        self.finds(status=0)
        self.put("t", a=self.sealed(dress=oracle.wrap))
        self.assertEqual(set(self.finds()), {("public.t", "a")})

    def test_bytea_is_recognised_and_not_configured(self):
        self.sql("CREATE TABLE t (a bytea, b bytea)")
        self.put("t", a=self.sealed().encode(), b=bytes(range(256)))
        result = self.discover()
        self.assertExit(1, result)
        self.assertNotIn("\n[table", result.out)
        self.assertIn("; a: 1 value, by key k2023 1\n"
                      ";   not in a section: bytea cannot be rotated\n",
                      result.out)

    def test_a_key_id_cannot_write_into_the_file(self):
        self.sql("CREATE TABLE t (a text, b bytea)")
        token = self.ring.token(b"x", "k2023")
        evil = oracle.envelope("k\n[keys]\nprimary = x\n\x1b[2J\x9b", token)
        self.put("t", a=evil, b=evil.encode("latin-1"))
        result = self.discover()
        self.assertExit(1, result)
        lines = result.out.splitlines()
        self.assertEqual([line for line in lines if line.startswith("[")],
                         ["[table t]"])
        self.assertNotIn("\x1b", result.out)
        self.assertEqual(len(self.configured(result.out).columns()), 1)

    def test_copies_are_told_and_are_fine_once_they_are_current(self):
        self.sql("CREATE TABLE t (a text,"
                 " copy text GENERATED ALWAYS AS (a) STORED)")
        self.put("t", a=self.sealed())
        self.sql("CREATE MATERIALIZED VIEW v AS SELECT a FROM t")
        self.sql("CREATE MATERIALIZED VIEW empty AS SELECT a FROM t"
                 " WITH NO DATA")
        self.tool.configure(t={"columns": "a"})
        result = self.discover()
        self.assertExit(1, result)
        self.assertNotIn("\n[table", result.out)
        self.assertIn("a materialized view holds copies", result.out)
        self.assertIn("a generated column holds copies", result.out)
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.finds()["public.v", "a"]["copy"], True)
        self.sql("REFRESH MATERIALIZED VIEW v")
        self.finds(status=0)

    def test_what_rotate_would_refuse_gets_its_reason(self):
        self.sql("CREATE TABLE t (a text PRIMARY KEY, b text)")
        self.put("t", a=self.sealed(), b=self.sealed())
        result = self.discover()
        self.assertExit(1, result)
        self.assertIn("columns = b\n", result.out)
        self.assertIn("is part of the primary key", result.out)


class Names(Base):
    def test_odd_names_can_be_pasted(self):
        self.assertEqual(len(LONG.encode()), 63)
        tables = ["MixedCase", LONG, 'with "quotes"', "a,b", "=;]", "ünïcode",
                  "select", "1st", " padded "]
        for table in tables:
            quoted = '"' + table.replace('"', '""') + '"'
            self.sql(f"CREATE TABLE {quoted} (plain text, {quoted} text)")
            self.put(quoted, **{"plain": self.sealed(), table: self.sealed()})
        result = self.discover()
        self.assertExit(1, result)
        seen = self.configured(result.out)
        self.assertEqual({c for _, c in seen.columns()}, {"plain", *tables})
        self.assertEqual(len(seen.columns()), 2 * len(tables))
        self.assertEqual(seen.report["discover"]["unconfigured"], 0)

    def test_many_long_columns_go_on_in_further_lines(self):
        names = [f"{'C' * 60}{i:03}" for i in range(40)]
        self.sql("CREATE TABLE t (" + ", ".join(
            f'"{name}" text' for name in names) + ")")
        self.put("t", **{name: self.sealed() for name in names})
        result = self.discover()
        self.assertExit(1, result)
        self.assertEqual(result.out.count("no room for more"), 8)
        self.assertEqual(self.read_tables()["public", "t"], 1)
        seen = self.configured(result.out)
        self.assertEqual([c for _, c in seen.columns()], names[:32])

    def test_a_name_that_no_line_can_hold_is_a_comment(self):
        for i, name in enumerate(("a\n[keys]", "b ;c", "d #e", "f\x1b[2J")):
            self.sql(f'CREATE TABLE t{i} (ok text, "{name}" text)')
            self.put(f"t{i}", ok=self.sealed(), **{name: self.sealed()})
            self.sql(f'CREATE TABLE "{name}" (x text)')
            self.put(f'"{name}"', x=self.sealed())
        result = self.discover()
        self.assertExit(1, result)
        self.assertNotIn("\x1b", result.out)
        self.assertEqual(result.out.count("cannot be written"), 8)
        seen = self.configured(result.out)
        self.assertEqual([c for _, c in seen.columns()], ["ok"] * 4)

    def test_labels_do_not_clash(self):
        for schema in ("one", "two"):
            self.sql(f"CREATE SCHEMA {schema}")
            self.sql(f"CREATE TABLE {schema}.t (a text)")
            self.put(f"{schema}.t", a=self.sealed())
        self.sql("CREATE TABLE u (a text)")
        self.put("u", a=self.sealed())
        self.tool.configure(t={"name": "u", "columns": "a"})
        result = self.discover()
        self.assertEqual(re.findall(r"(?m)^\[table (.*)\]", result.out),
                         ["t_2", "t_3"])
        self.assertEqual(len(self.configured(result.out).columns()), 3)

    def test_a_replaced_section_keeps_its_options(self):
        self.sql("CREATE TABLE t (id int, a text, b text)")
        self.put("t", id=1, a=self.sealed(), b=self.sealed())
        self.tool.configure(mine={
            "name": "t", "columns": "a", "raw": "allow", "nested": "unwrap",
            "max_value_bytes": "3MiB", "where": "id < 7"})
        result = self.discover()
        self.assertIn("[table mine]\nname = public.t\ncolumns = a, b\n"
                      "raw = allow\nnested = unwrap\nmax_value_bytes = 3MiB\n"
                      "where = id < 7\n", result.out)
        line = self.tool.write_config().read_text().splitlines().index(
            "[table mine]") + 1
        self.assertIn(f"replaces [table mine] of line {line}; new are b\n",
                      result.out)
        self.assertEqual(len(self.configured(result.out, "mine").columns()),
                         2)


class Trees(Base):
    def partitions(self):
        self.sql("CREATE SCHEMA far")
        self.sql("CREATE TABLE t (id int, secret text) PARTITION BY RANGE(id)")
        self.sql("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)")
        self.sql("CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (40)"
                 " PARTITION BY HASH (id)")
        self.sql("CREATE TABLE far.t21 PARTITION OF t2"
                 " FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
        for i in range(20):
            self.put("t", id=i, secret=self.sealed(i))

    def test_partitions_are_reported_under_their_root(self):
        self.partitions()
        found = self.finds()
        self.assertEqual(set(found), {("public.t", "secret")})
        self.assertEqual(found["public.t", "secret"]["values"], 20)
        self.assertEqual(self.read_tables(), {
            ("public", "t1"): 1, ("far", "t21"): 1})
        self.assertEqual(
            len(self.configured(self.discover().out).columns()), 1)

    def test_a_configured_root_covers_its_partitions(self):
        self.partitions()
        self.tool.configure(t={"columns": "secret"})
        self.finds(status=0)
        self.assertEqual(self.read_tables(), {})

    def test_the_root_takes_in_the_section_of_a_partition(self):
        self.partitions()
        self.tool.configure(part={"name": "t1", "columns": "secret"})
        result = self.discover()
        self.assertExit(1, result)
        self.assertIn("[table part]\nname = public.t\ncolumns = secret\n",
                      result.out)
        self.assertIn("replaces [table part]", result.out)
        self.assertEqual(
            len(self.configured(result.out, "part").columns()), 1)

    def test_children_are_reported_under_the_table_that_has_the_column(self):
        self.sql("CREATE TABLE top (id int)")
        self.sql("CREATE TABLE mid (secret text) INHERITS (top)")
        self.sql("CREATE TABLE low () INHERITS (mid)")
        self.put("mid", id=1, secret=self.sealed())
        self.put("low", id=2, secret=self.sealed())
        found = self.finds()
        self.assertEqual(set(found), {("public.mid", "secret")})
        self.assertEqual(found["public.mid", "secret"]["values"], 2)

    def test_a_child_beside_a_section_of_its_parent_is_a_comment(self):
        self.sql("CREATE TABLE top (a text)")
        self.sql("CREATE TABLE low (b text) INHERITS (top)")
        self.put("low", a=self.sealed(), b=self.sealed())
        result = self.discover()
        self.assertExit(1, result)
        self.assertIn("two sections cannot share rows", result.out)
        self.assertEqual(re.findall(r"(?m)^\[table (.*)\]", result.out),
                         ["top"])
        seen = self.configured(result.out)
        self.assertEqual(seen.report["discover"]["unconfigured"], 1)

    def test_what_is_no_table_of_ours_is_left_out(self):
        self.sql("CREATE SCHEMA pgrekey")
        self.sql("CREATE TABLE pgrekey.finding (a text)")
        self.put("pgrekey.finding", a=self.sealed())
        self.sql("CREATE TEMP TABLE mine (a text)")
        self.put("mine", a=self.sealed())
        self.sql("CREATE VIEW v AS SELECT * FROM pgrekey.finding")
        self.finds(status=0)


class Roles(Base):
    def setUp(self):
        super().setUp()
        self.role()
        self.sql("CREATE TABLE t (a text, b text, c int)")
        self.put("t", a=self.sealed(), b=self.sealed())
        self.sql("CREATE TABLE other (x text)")

    def test_a_role_that_may_only_read_will_do(self):
        self.sql(f"GRANT pg_read_all_data TO {self.tool.user}")
        self.assertEqual(len(self.finds()), 2)

    def test_a_table_without_privileges_is_named_with_the_grant(self):
        self.sql(f"GRANT SELECT ON other TO {self.tool.user}")
        result = self.discover()
        self.assertExit(1, result)
        self.assertIn("not read: public.t", result.err)
        grant = re.search(r"hint: (GRANT .*)", result.err)[1]
        self.assertEqual(grant, f'GRANT SELECT ("a", "b") ON "public"."t" TO'
                                f' "{self.tool.user}"')
        self.assertIn("; not read: public.t", result.out)
        self.sql(grant)
        result = self.discover()
        self.assertExit(1, result)
        self.assertNotIn("not read", result.err)
        self.assertIn("columns = a, b\n", result.out)

    def test_columns_that_may_be_read_are(self):
        self.sql(f"GRANT SELECT (a) ON t TO {self.tool.user}")
        result = self.discover()
        self.assertExit(1, result)
        self.assertIn("columns = a\n", result.out)
        self.assertIn('GRANT SELECT ("b") ON', result.err)

    def test_nothing_to_read_at_all_is_an_error(self):
        result = self.discover()
        self.assertExit(4, result)
        self.assertIn("not read: public.t", result.err)
        self.assertIn("not read: public.other", result.err)

    def test_verify_prints_no_report_either(self):
        """What is proven of the rest is not what was asked."""
        self.tool.configure(t={"columns": "a, b"})
        self.sql(f"GRANT SELECT ON t TO {self.tool.user}")
        for output in ("text", "json", "junit"):
            result = self.tool.run("verify", "--discover", "--output", output)
            self.assertExit(4, result)
            self.assertIn("not read: public.other", result.err)
            self.assertEqual(result.out, "")

    def test_a_schema_without_privileges_is_named(self):
        self.sql("CREATE SCHEMA hidden")
        self.sql("CREATE TABLE hidden.t (a text)")
        self.sql(f"GRANT SELECT ON other, t, hidden.t TO {self.tool.user}")
        result = self.discover()
        self.assertExit(1, result)
        self.assertIn(f'GRANT USAGE ON SCHEMA "hidden" TO "{self.tool.user}"',
                      result.err)

    def test_row_level_security_is_named_and_not_passed(self):
        self.sql(f"GRANT pg_read_all_data TO {self.tool.user}")
        self.sql("ALTER TABLE other ENABLE ROW LEVEL SECURITY")
        self.sql("DROP TABLE t")
        self.sql("CREATE TABLE t (c text)")
        result = self.discover()
        self.assertExit(1, result)
        self.assertIn("not read: public.other: row-level security hides rows",
                      result.err)
        self.assertIn(f'ALTER ROLE "{self.tool.user}" BYPASSRLS', result.err)
        result = self.discover("--output", "json")
        self.assertEqual(result.report["unread"][0]["table"], "public.other")
        self.assertExit(1, self.discover("--sample", 50))


if __name__ == "__main__":
    unittest.main()
