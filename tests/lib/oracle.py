"""The application's side of the story, written from the specification alone.

How the application stores and reads values, which keys there are, and whether
a database still reads the same after a rotation. Nothing here knows how
pgrekey works, and nothing here prints a value.
"""
import base64
import hashlib
import json
import time
from dataclasses import dataclass
from decimal import Decimal

from cryptography.fernet import Fernet, InvalidToken

SEALED = "enc:fernet:"
MARKED = "enc:plaintext:"
RESERVED = "enc:tink:"
MEMBER = "sentry_encrypted_field_value"


# -- writing ----------------------------------------------------------------

def envelope(key_id, token):
    return f"{SEALED}{key_id}:{base64.b64encode(token).decode()}"


def marked(plain):
    return MARKED + base64.b64encode(plain).decode()


def wrap(text):
    """The stored form of a json or jsonb value."""
    return json.dumps({MEMBER: text})


class Ring:
    """Known keys by id, and the one that seals."""

    def __init__(self, keys, primary):
        self.keys = dict(keys)
        self.primary = primary
        self.fernet = {name: Fernet(key) for name, key in keys.items()}

    @classmethod
    def fresh(cls, *ids, primary):
        keys = {name: Fernet.generate_key().decode()
                for name in (*ids, primary)}
        return cls(keys, primary)

    def with_primary(self, primary):
        """The same keys, and a new one if it is not among them."""
        keys = dict(self.keys)
        keys.setdefault(primary, Fernet.generate_key().decode())
        return Ring(keys, primary)

    def without(self, *ids):
        return Ring({name: key for name, key in self.keys.items()
                     if name not in ids}, self.primary)

    def token(self, plain, key=None, at=None):
        at = int(time.time()) if at is None else at
        return self.fernet[key or self.primary].encrypt_at_time(plain, at)

    def seal(self, plain, key=None, at=None):
        """The envelope the application would store."""
        key = key or self.primary
        return envelope(key, self.token(plain, key, at))

    def write(self, folder):
        """Makes a key directory."""
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, key in self.keys.items():
            file = folder / name
            file.write_text(key + "\n")
            file.chmod(0o600)
        return folder


# -- reading ----------------------------------------------------------------

@dataclass(frozen=True)
class Reading:
    """What a reader who has all keys makes of one stored value."""
    kind: str             # null, raw, marked, sealed or unread
    value: object = None  # bytes inside; of unread the stored value itself
    label: str = None     # sealed and unread: the key id it names
    key: str = None       # sealed: the key id that really opened it
    at: int = None        # sealed: seconds in the token
    iv: bytes = None
    exact: bool = False   # spelled as the application spells it


def unwrap(stored):
    """The string in a json value's envelope, or None if it has none."""
    try:
        value = json.loads(stored)
    except ValueError:
        return None
    if not isinstance(value, dict) or list(value) != [MEMBER]:
        return None
    inner = value[MEMBER]
    return inner if isinstance(inner, str) else None


def read(stored, ring, is_json=False):
    """Reads a stored value with every key of the ring."""
    if stored is None:
        return Reading("null")
    text = unwrap(stored) if is_json else stored
    if text is None or not text.startswith((SEALED, MARKED, RESERVED)):
        return Reading("raw", stored.encode())
    unread = Reading("unread", stored.encode())
    try:
        if text.startswith(MARKED):
            plain = base64.b64decode(text[len(MARKED):])
            return Reading("marked", plain, exact=text == marked(plain))
        if text.startswith(SEALED):
            return read_sealed(text, ring) or unread
    except ValueError:
        pass
    return unread


def read_sealed(text, ring):
    """As the application does: both layers of base64 without validation. Its
    documentation shows one layer only, so that is read, too."""
    label, colon, body = text[len(SEALED):].partition(":")
    if not colon:
        return None
    one_layer = body.startswith("gAAAA")
    token = body.encode() if one_layer else base64.b64decode(body)
    first = [label] if label in ring.fernet else []
    for name in first + [other for other in ring.fernet if other != label]:
        try:
            plain = ring.fernet[name].decrypt(token)
        except InvalidToken:
            continue
        raw = base64.urlsafe_b64decode(token)
        exact = (base64.urlsafe_b64encode(raw) == token
                 and envelope(label, token) == text)
        return Reading("sealed", plain, label, name,
                       int.from_bytes(raw[1:9], "big"), raw[9:25], exact)
    return None


def application_reads(stored, ring, is_json=False):
    """What the application gets: it trusts the label, and what it cannot open
    it takes for the value itself."""
    seen = read(stored, ring, is_json)
    if seen.kind == "null":
        return None
    if seen.kind == "sealed" and (
            seen.key != seen.label or f":{seen.label}:gAAAA" in stored):
        return stored.encode()
    return seen.value


def meaning(text):
    """A JSON text as something that can be compared."""
    return json.loads(text, parse_float=Decimal)


# -- a table, before and after ----------------------------------------------

@dataclass(frozen=True)
class Row:
    place: tuple   # where this version of the row is stored
    rest: str      # digest of all that is not encrypted
    values: tuple  # stored text of the encrypted columns


class Snapshot:
    """Every row of a table by its identity, as it is stored now."""

    def __init__(self, connection, table, columns, identity="id"):
        self.columns = columns
        cursor = connection.cursor()
        cursor.execute(
            "SELECT attname, atttypid::regtype::text FROM pg_attribute"
            " WHERE attrelid = %s::regclass", [table])
        types = dict(cursor.fetchall())
        self.json = {name: types[name].startswith("json") for name in columns}
        quoted = ['t."' + name.replace('"', '""').replace("%", "%%") + '"'
                  for name in columns]
        cursor.execute(
            f"SELECT t.{identity}::text, t.tableoid, t.ctid::text,"
            f" t.xmin::text, (to_jsonb(t) - %s)::text,"
            f" {', '.join(name + '::text' for name in quoted)}"
            f" FROM {table} AS t", [list(columns)])
        self.rows = {
            row[0]: Row(row[1:4],
                        hashlib.sha256(row[4].encode()).hexdigest(), row[5:])
            for row in cursor}

    def untouched_since(self, before):
        """No row was written: each version is where it was."""
        return self.rows == before.rows

    def readings(self, ring):
        """{(identity, column): Reading}"""
        return {(name, column): read(stored, ring, self.json[column])
                for name, row in self.rows.items()
                for column, stored in zip(self.columns, row.values)}


def differences(before, after, ring, kept=(), method="fernet"):
    """What is wrong with after, as sentences that name rows and columns.

    kept has the (identity, column) pairs that must not have changed by a
    byte; everything else must be sealed under the ring's primary and read as
    it did. The empty list means that the rotation was right."""
    wrong = []
    if before.rows.keys() != after.rows.keys():
        wrong.append("rows appeared or disappeared")
    old, new = before.readings(ring), after.readings(ring)
    ivs = {seen.iv for seen in old.values() if seen.iv}
    for name, row in before.rows.items():
        if name not in after.rows:
            continue
        if row.rest != after.rows[name].rest:
            wrong.append(f"row {name}: another column changed")
        for i, column in enumerate(before.columns):
            place, now = (name, column), after.rows[name].values[i]
            if place in kept or row.values[i] is None:
                reason = row.values[i] != now and "it had to stay as it was"
            else:
                reason = flaw(old[place], new[place], ring, method,
                              before.json[column])
            if reason:
                wrong.append(f"row {name}, column {column}: {reason}")
            elif row.values[i] != now and new[place].iv:
                if new[place].iv in ivs:
                    wrong.append(f"row {name}, column {column}: IV again")
                ivs.add(new[place].iv)
    return wrong


def flaw(old, new, ring, method="fernet", is_json=False):
    """Why new is not a right re-sealing of old, or None."""
    if old.kind == "unread":
        return "nobody can read it, so it had to be kept"
    if method == "plaintext" and new.kind != "marked":
        return f"is {new.kind}, not marked"
    if method == "fernet":
        if new.kind != "sealed":
            return f"is {new.kind}, not sealed"
        if new.label != ring.primary or new.key != ring.primary:
            return "is not under the primary"
    if not new.exact:
        return "is not spelled as the application spells it"
    if old.kind == "raw" and is_json:
        if meaning(old.value) != meaning(new.value):
            return "means something else"
    elif old.value != new.value:
        return "reads differently"
    if method == "fernet" and old.kind == "sealed" and old.at != new.at:
        return "lost its timestamp"
    if method == "fernet" and old.kind != "sealed":
        if abs(new.at - time.time()) > 3600:
            return "is not stamped now"
    return None


def labels(connection, table, column):
    """{key id or None: count} by plain SQL, as the server sees it."""
    cursor = connection.cursor()
    cursor.execute(
        f"SELECT substring({column}::text FROM 'enc:fernet:([^:]*):'),"
        f" count(*) FROM {table} GROUP BY 1")
    return dict(cursor.fetchall())
