"""What every stored value must be judged to be: design.md, sections 3 and 5,
in Python and without looking at the program.

Fernet and base64 are those of Python and python3-cryptography, canonical is
what they write themselves, and lossless what reads the same once its spelling
is taken away.
"""
import base64
import hashlib
import hmac
import json
import string
from dataclasses import dataclass, replace

from cryptography.fernet import InvalidToken

from . import oracle
from .oracle import MARKED, MEMBER, RESERVED, SEALED

ALPHABET = set((string.ascii_letters + string.digits + "+/").encode())
NESTED_MAX = 8  # envelopes within envelopes that are followed

BEGINNINGS = {  # of other systems' envelopes, and what else they must have
    "enc:": "", "vault:v": ":", "v1.aesgcm256.": "", "v1.aesgcm128.": "",
    "eyJpdiI6": "", '{"iv":': '"mac":', '{"p":': '"iv":', '{"h":': '"iv":',
    "U2FsdGVkX1": "", "Salted__": "", "QEVuQ": "", "$ANSIBLE_VAULT;": "",
    "-----BEGIN PGP MESSAGE-----": "",
    "-----BEGIN AGE ENCRYPTED FILE-----": "", "age-encryption.org/v1": ""}


@dataclass(frozen=True)
class Policy:
    method: str = "fernet"
    raw: str = "report"
    nested: str = "keep"
    max: int = 1 << 20


@dataclass(frozen=True)
class Verdict:
    verdict: str
    rewrite: bool = False
    blocks: bool = False
    nested: bool = False
    mislabelled: bool = False
    late: bool = False
    clear: bool = False
    unread: bool = False
    key: str = None
    inner: str = None
    within: frozenset = frozenset()  # keys that opened anything, at any depth
    time: int = None
    label: str = None
    plain: bytes = None  # what a new envelope holds


@dataclass(frozen=True)
class Opened:
    result: str             # ok, unknown, corrupt or malformed
    plain: bytes = None
    key: str = None
    time: int = None
    canonical: bool = False  # as the application spells it
    strict: bool = False     # a strict decoder reads it
    lossless: bool = True


MALFORMED = Opened("malformed")


# -- spelling ---------------------------------------------------------------

def ascii_bytes(text):
    """Python's decoders refuse a str that is not ASCII."""
    return text.encode("ascii")


def letters(text, urlsafe):
    """A base64 text without its spelling."""
    if urlsafe:
        text = text.translate(bytes.maketrans(b"-_", b"+/"))
    return bytes(c for c in text if c not in b" \t\n\v\f\r=")


def spelled(text, urlsafe):
    """What Python reads, if it does, and how the text stands to it: (value,
    canonical, lossless)."""
    encode, decode = ((base64.urlsafe_b64encode, base64.urlsafe_b64decode)
                      if urlsafe else (base64.b64encode, base64.b64decode))
    value = decode(text)
    mine, best = letters(text, urlsafe), letters(encode(value), urlsafe)
    return (value, encode(value) == text,
            len(mine) == len(best) and mine[:-1] == best[:-1]
            and set(mine) <= ALPHABET)


def two_layers(body):
    outer, canonical, lossless = spelled(ascii_bytes(body), False)
    token, also, inner_lossless = spelled(outer, True)
    return token, canonical and also, lossless and inner_lossless


def one_layer(body):
    return spelled(ascii_bytes(body), True)


# -- opening ----------------------------------------------------------------

def is_signed(token, key):
    signing = base64.urlsafe_b64decode(key)[:16]
    tag = hmac.new(signing, token[:-32], hashlib.sha256).digest()
    return hmac.compare_digest(tag, token[-32:])


def open_token(token, label, ring):
    if len(token) < 57 or token[0] != 0x80:
        return MALFORMED
    names = sorted(ring.keys, key=lambda name: (name != label, name))
    for name in names:
        if not is_signed(token, ring.keys[name]):
            continue
        try:
            plain = ring.fernet[name].decrypt(base64.urlsafe_b64encode(token))
        except InvalidToken:
            return Opened("corrupt", key=name)
        return Opened("ok", plain, name, int.from_bytes(token[1:9], "big"))
    whole = len(token) > 57 and (len(token) - 57) % 16 == 0
    return Opened("unknown") if whole else MALFORMED


def open_sealed(body, label, ring):
    """Strict before lenient, two layers before one; what opens, wins."""
    found = []
    for wanted_strict, layers, decode in (
            (True, 2, two_layers), (False, 2, two_layers),
            (True, 1, one_layer), (False, 1, one_layer)):
        try:
            token, strict, lossless = decode(body)
        except ValueError:
            continue
        if wanted_strict and not strict:
            continue
        found.append(replace(
            open_token(token, label, ring), strict=strict,
            canonical=strict and layers == 2, lossless=lossless))
    for results in (("ok", "corrupt"), ("unknown",), ("malformed",)):
        for opened in found:
            if opened.result in results:
                return opened
    return MALFORMED


def open_marked(body):
    try:
        plain, strict, lossless = spelled(ascii_bytes(body), False)
    except ValueError:
        return MALFORMED
    return Opened("ok", plain, canonical=strict, strict=strict,
                  lossless=lossless)


# -- parsing ----------------------------------------------------------------

def foreign(text):
    head = text[:96].encode("utf-8", "surrogatepass")
    try:
        if (len(text.encode("utf-8", "surrogateescape")) >= 100
                and text.startswith("gAAAA")
                and spelled(head, True)[1]):
            return True
    except ValueError:
        pass
    return any(text.startswith(begins) and also in text[len(begins):]
               for begins, also in BEGINNINGS.items())


def parse_string(text):
    """(kind, label, body)"""
    if text.startswith(SEALED):
        label, colon, body = text[len(SEALED):].partition(":")
        if not label or not colon:
            return "malformed", None, None
        return "sealed", label, body
    if text.startswith(MARKED):
        return "marked", None, text[len(MARKED):]
    if text.startswith(RESERVED):
        return "unsupported", None, None
    return ("foreign" if foreign(text) else "raw"), None, None


def load(text):
    """JSON as Python reads it, but objects as lists of pairs."""
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: (pairs,))
    except (ValueError, RecursionError):
        return None


def is_marked(kind):
    return kind not in ("raw", "foreign")


def parse(text, is_json):
    """(kind, label, body, named twice)"""
    if not is_json:
        return (*parse_string(text), False)
    value = load(text)
    if (isinstance(value, tuple) and value[0]
            and all(name == MEMBER for name, _ in value[0])
            and isinstance(value[0][-1][1], str)):
        kind, label, body = parse_string(value[0][-1][1])
        if is_marked(kind):
            return kind, label, body, len(value[0]) > 1
        return "raw", None, None, False
    if foreign(text) or isinstance(value, str) and foreign(value):
        return "foreign", None, None, False
    return "raw", None, None, False


def parse_inner(text, is_json):
    seen = parse(text, is_json)
    if is_json and not is_marked(seen[0]):
        value = load(text)
        if isinstance(value, str):
            return (*parse_string(value), False)
    return seen


def unfold(seen, ring):
    """Opens what parse() saw; None if there is nothing to open."""
    kind, label, body, twice = seen
    if kind == "marked":
        opened = open_marked(body)
    elif kind == "sealed":
        opened = open_sealed(body, label, ring)
    else:
        return None
    if twice and opened.result == "ok":
        opened = replace(opened, canonical=False, strict=False, lossless=False)
    return opened


# -- judging ----------------------------------------------------------------

def left(verdict, **more):
    return Verdict(verdict, blocks=True, unread=True, **more)


def spelling(opened):
    return {"verdict": "noncanonical", "rewrite": opened.lossless,
            "blocks": not opened.lossless, "unread": not opened.lossless}


def judge_marked(opened, policy):
    if opened.result != "ok":
        return left("malformed", clear=True)
    found = Verdict("plaintext", True, clear=True, plain=opened.plain)
    if not opened.strict:
        return replace(found, **spelling(opened))
    if policy.method == "plaintext":
        return replace(found, verdict="current", rewrite=False)
    return found


def judge_sealed(opened, label, ring, policy, run_start):
    if opened.result == "unknown":
        return left("unknown_key", label=label)
    if opened.result == "corrupt":
        return left("corrupt", label=label, key=opened.key,
                    within=frozenset({opened.key}))
    if opened.result == "malformed":
        return left("malformed", label=label)
    primary = opened.key == ring.primary
    found = Verdict(
        "old", True, mislabelled=label != opened.key, label=label,
        late=(policy.method == "fernet" and not primary
              and opened.time > run_start),
        key=opened.key, time=opened.time, plain=opened.plain,
        within=frozenset({opened.key}))
    if not opened.strict:
        return replace(found, **spelling(opened))
    if policy.method == "plaintext" or not primary or found.mislabelled:
        return found
    if not opened.canonical:
        return replace(found, verdict="noncanonical")
    return replace(found, verdict="current", rewrite=False)


def judge_inside(found, is_json, ring, policy):
    """Follows a plaintext that is an envelope itself."""
    plain, time, inner, layers = found.plain, found.time, None, 0
    whole, within = True, set(found.within)
    while True:
        text = plain.decode("utf-8", "surrogateescape")
        seen = parse_inner(text, is_json)
        opened = unfold(seen, ring)
        if not opened:
            break
        layers += 1
        if seen[0] == "sealed" and opened.result in ("ok", "corrupt"):
            within.add(opened.key)
        if (opened.result != "ok" or not opened.lossless
                or layers > NESTED_MAX):
            whole = False
            break
        plain = opened.plain
        if seen[0] == "sealed":
            time = opened.time
            if opened.key != ring.primary and inner is None:
                inner = opened.key
    if not layers:
        return found
    found = replace(found, nested=True, inner=inner, unread=found.unread or not whole,
                    within=frozenset(within))
    if policy.nested == "unwrap" and whole and not found.blocks:
        current = found.verdict == "current"
        return replace(found, rewrite=True, plain=plain, time=time,
                       verdict="noncanonical" if current else found.verdict)
    return replace(found, blocks=found.blocks or not whole
                   or inner is not None)


def look(stored, is_json, ring, policy, run_start):
    """stored is bytes; text of a database, so nearly always UTF-8."""
    if len(stored) > policy.max:
        return left("oversize")
    seen = parse(stored.decode("utf-8", "surrogateescape"), is_json)
    kind, label = seen[:2]
    if kind == "raw":
        return Verdict("raw", policy.raw == "encrypt", policy.raw == "report",
                       clear=True, plain=stored)
    if kind == "foreign":
        return left("foreign", clear=True)
    if kind not in ("sealed", "marked"):
        return left(kind)
    opened = unfold(seen, ring)
    found = (judge_marked(opened, policy) if kind == "marked"
             else judge_sealed(opened, label, ring, policy, run_start))
    if found.plain is None:
        return found
    return judge_inside(found, is_json, ring, policy)


def judge(stored, carrier, ring, policy, run_start):
    """Nothing is rewritten to what would be too large to be read."""
    found = look(stored, carrier != "text", ring, policy, run_start)
    if found.rewrite and size(found.plain, carrier, ring, policy) > policy.max:
        return replace(found, rewrite=False, blocks=True)
    return found


def size(plain, carrier, ring, policy):
    """Of a jsonb that is sealed only the string is looked at."""
    marked = policy.method == "plaintext"
    fresh = (oracle.marked(plain) if marked
             else ring.seal(plain, ring.primary, 0))
    whole = carrier == "json" or carrier == "jsonb" and marked
    return len(oracle.wrap(fresh) if whole else fresh)
