"""Operators and functions of a stranger, in a schema of everybody's search
path.

pg_catalog comes first, but only among those that fit equally well: one in
public whose argument types are exactly those of a statement wins over one of
pg_catalog that needs a conversion, and then runs with the rights of whoever
runs the statement. Here there is one for every combination, and the server's
log tells which of them a statement would have called.
"""
import re

# A domain is a type of its own, which a column may have.
DOMAIN = "strange"
TYPES = (DOMAIN, "bool", '"char"', "name", "int2", "int4", "int8", "numeric", "float4",
         "float8", "oid", "regclass", "regnamespace", "xid", "xid8", "pg_lsn", "tid", "text",
         "timestamptz", "interval", "json", "jsonb", "text[]", "name[]",
         "int2[]", "int4[]", "int8[]", "oid[]")
ANSWERS = ("=", "<>", "<", "<=", ">", ">=", "~", "~*", "~~", "!~~", "@>")
VALUES = ("+", "-", "*", "/", "^", "&", "<<", "||", "->", "->>")
PREFIX = ("-",)
# Whose arguments are of any type, so that every exact one wins.
FUNCTIONS = ("count", "sum", "min", "max", "length", "octet_length")
TEXTS = ("starts_with", "strpos", "substr", "split_part")


def statements():
    yield f"CREATE DOMAIN {DOMAIN} AS jsonb"
    for left in TYPES:
        yield (f"CREATE FUNCTION hostile({left}) RETURNS {left}"
               " LANGUAGE plpgsql AS 'BEGIN END'")
        for name in PREFIX:
            yield (f"CREATE OPERATOR public.{name} (FUNCTION = public.hostile,"
                   f" RIGHTARG = {left})")
        for name in FUNCTIONS:
            yield (f"CREATE FUNCTION public.{name}({left}) RETURNS int8"
                   " LANGUAGE plpgsql AS 'BEGIN END'")
        for right in TYPES:
            yield from pair(left, right)


def pair(left, right):
    for name, returns in (("answer", "bool"), ("value", left)):
        yield (f"CREATE FUNCTION hostile_{name}({left}, {right}) RETURNS"
               f" {returns} LANGUAGE plpgsql AS 'BEGIN END'")
    for names, function in ((ANSWERS, "answer"), (VALUES, "value")):
        for name in names:
            yield (f"CREATE OPERATOR public.{name} (FUNCTION ="
                   f" public.hostile_{function}, LEFTARG = {left},"
                   f" RIGHTARG = {right})")
    if left in ("text", "name"):
        for name in TEXTS:
            yield (f"CREATE FUNCTION public.{name}({left}, {right}) RETURNS"
                   " text LANGUAGE plpgsql AS 'BEGIN END'")


def invite(cursor, database):
    """They are there from now on, and new sessions log what they call."""
    cursor.execute("SET search_path = public, pg_temp;"
                   " SET check_function_bodies = off; BEGIN;"
                   + "; ".join(statements())
                   + "; COMMIT; RESET ALL")
    for setting in ("debug_print_parse = on", "debug_pretty_print = off",
                    "log_min_error_statement = log"):
        cursor.execute(f"ALTER DATABASE {database} SET {setting}")


CALLED = re.compile(r":(?:opno|opfuncid|funcid|aggfnoid)\s+(\d+)")
PARSED = re.compile(r"DETAIL:  (\{QUERY.*\n(?:\t.*\n)*)(?:.*LOCATION:  .*\n)?"
                    r".*STATEMENT:  (.*\n(?:\t.*\n)*)")


def called(cursor, log):
    """{what a statement would call: one such statement} for those of theirs;
    and how many statements there were."""
    cursor.execute("SELECT oid::text, oid::regoperator::text FROM pg_operator"
                   " WHERE oprnamespace OPERATOR(pg_catalog.=)"
                   " 'public'::regnamespace::oid UNION ALL"
                   " SELECT oid::text, oid::regprocedure::text FROM pg_proc"
                   " WHERE pronamespace OPERATOR(pg_catalog.=)"
                   " 'public'::regnamespace::oid")
    theirs = dict(cursor.fetchall())
    parsed = PARSED.findall(log)
    return {theirs[number]: statement for tree, statement in parsed
            for number in CALLED.findall(tree)
            if number in theirs}, len(parsed)
