"""What CI systems accept as JUnit XML.

The rules are those of the xUnit plugin's junit-10.xsd as far as the format
needs them, and what GitLab asks for: a test case is known by its class name
and name, so these must be there and be unique.
"""
import collections
import xml.etree.ElementTree

ATTRIBUTES = {
    # element: (required, optional)
    "testsuites": ((), ("name", "time", "tests", "failures", "errors",
                        "disabled")),
    "testsuite": (("name", "tests"),
                  ("failures", "errors", "skipped", "time", "timestamp",
                   "hostname", "id", "package", "disabled", "group")),
    "testcase": (("classname", "name"), ("time", "assertions", "status")),
    "failure": ((), ("type", "message")),
    "error": ((), ("type", "message")),
    "skipped": ((), ("type", "message")),
}
CHILDREN = {
    "testsuites": ("testsuite",),
    "testsuite": ("testcase",),
    "testcase": ("failure", "error", "skipped"),
}
NUMBERS = ("tests", "failures", "errors", "skipped")


def parse(text):
    """The root; XML that is not well-formed is an exception."""
    if not text.startswith('<?xml version="1.0" encoding="UTF-8"?>'):
        raise ValueError("no XML declaration")
    return xml.etree.ElementTree.fromstring(text.encode())


def errors(root):
    """Sentences about what a CI system would not accept."""
    if root.tag != "testsuites":
        yield f"the root is {root.tag}"
    for element in root.iter():
        yield from element_errors(element)
    for suite in root.iter("testsuite"):
        yield from suite_errors(suite)


def element_errors(element):
    required, optional = ATTRIBUTES.get(element.tag, ((), ()))
    for name in required:
        if not element.get(name):
            yield f"{element.tag} has no {name}"
    for name in element.keys():
        if name not in required + optional:
            yield f"{element.tag} may not have {name}"
    for child in element:
        if child.tag not in CHILDREN.get(element.tag, ()):
            yield f"{child.tag} inside {element.tag}"
    for name in NUMBERS:
        if name in element.keys() and not element.get(name).isdigit():
            yield f"{name} is not a number"
    if "time" in element.keys():
        float(element.get("time"))


def suite_errors(suite):
    cases = suite.findall("testcase")
    found = {"tests": len(cases)}
    for tag, name in (("failure", "failures"), ("error", "errors"),
                      ("skipped", "skipped")):
        found[name] = sum(case.find(tag) is not None for case in cases)
    for name, number in found.items():
        if suite.get(name, str(number)) != str(number):
            yield f"{name} says {suite.get(name)}, there are {number}"
    names = collections.Counter(
        (case.get("classname"), case.get("name")) for case in cases)
    for name, times in names.items():
        if times > 1:
            yield f"{name} is there {times} times"


def failures(root):
    """{(class name, name): (message, text)}"""
    return {(case.get("classname"), case.get("name")):
            (case.find("failure").get("message"),
             case.find("failure").text or "")
            for case in root.iter("testcase")
            if case.find("failure") is not None}
