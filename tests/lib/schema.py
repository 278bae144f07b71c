"""Just enough of JSON Schema to hold a report against docs/report.schema.json.

Stricter than the standard in one way: a member that the schema does not name
is an error, so that nothing is printed that is not documented. A keyword that
is not known here is an error, too.
"""
import re

TYPES = {"object": dict, "array": list, "string": str, "null": type(None),
         "boolean": bool, "integer": int, "number": (int, float)}
NOTES = {"$schema", "$defs", "title", "description"}


def is_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


class Schema:
    def __init__(self, whole):
        self.whole = whole

    def errors(self, value):
        """Sentences about what is wrong with it."""
        return list(self.check(value, self.whole, "report"))

    def resolve(self, ref):
        part = self.whole
        for name in ref.removeprefix("#/").split("/"):
            part = part[name]
        return part

    def check(self, value, schema, at):
        for keyword in schema.keys() - NOTES:
            rule = getattr(self, "check_" + keyword.strip("$"), None)
            if rule is None:
                yield f"{at}: keyword {keyword} is not known"
            else:
                yield from rule(value, schema[keyword], at, schema)

    # -- keywords: value, what stands behind the keyword, place, schema -------

    def check_ref(self, value, ref, at, _):
        yield from self.check(value, self.resolve(ref), at)

    def check_oneOf(self, value, choices, at, _):
        found = [list(self.check(value, choice, at)) for choice in choices]
        if sum(not errors for errors in found) != 1:
            yield from min(found, key=len) or [f"{at}: fits more than one"]

    def check_type(self, value, names, at, _):
        names = [names] if isinstance(names, str) else names
        if not any(is_type(value, name) for name in names):
            yield f"{at}: {type(value).__name__}, not {names}"

    def check_const(self, value, wanted, at, _):
        if value != wanted:
            yield f"{at}: {value!r}, not {wanted!r}"

    def check_enum(self, value, wanted, at, _):
        if value not in wanted:
            yield f"{at}: {value!r} is none of {wanted}"

    def check_minimum(self, value, least, at, _):
        if isinstance(value, (int, float)) and value < least:
            yield f"{at}: {value} is below {least}"

    def check_maximum(self, value, most, at, _):
        if isinstance(value, (int, float)) and value > most:
            yield f"{at}: {value} is above {most}"

    def check_pattern(self, value, pattern, at, _):
        if isinstance(value, str) and not re.search(pattern, value):
            yield f"{at}: {value!r} does not look like {pattern}"

    def check_required(self, value, names, at, _):
        for name in names:
            if isinstance(value, dict) and name not in value:
                yield f"{at}: {name} is missing"

    def check_properties(self, value, properties, at, schema):
        for name, part in (value if isinstance(value, dict) else {}).items():
            if name in properties:
                yield from self.check(part, properties[name],
                                      f"{at}.{name}")
            elif "additionalProperties" not in schema:
                yield f"{at}: {name} is not documented"

    def check_additionalProperties(self, value, rule, at, schema):
        known = schema.get("properties", {})
        for name, part in (value if isinstance(value, dict) else {}).items():
            if name not in known:
                yield from self.check(part, rule, f"{at}.{name}")

    def check_propertyNames(self, value, rule, at, _):
        for name in value if isinstance(value, dict) else ():
            yield from self.check(name, rule, f"{at}, the name {name}")

    def check_items(self, value, rule, at, _):
        for i, part in enumerate(value if isinstance(value, list) else ()):
            yield from self.check(part, rule, f"{at}[{i}]")
