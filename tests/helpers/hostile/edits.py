"""Changes to the content of a valid file that damage, hostility or haste would make.

Content that keeps its form (JSON is still JSON, an archive still an archive) goes further into a reader than random
bytes.
Every function takes the generator of its case, so a case is known by its number alone.
"""

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from random import Random
from tokenize import TokenError
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

Edit = Callable[[bytes, Random], bytes]

DEPTH = 20_000
"""Brackets in each other: far more than the interpreter's stack takes."""
WORDS = [
    *(
        "",
        "0",
        "-1",
        "1",
        "2",
        "1e999",
        "-1e999",
        "nan",
        "NaN",
        "inf",
        "1e-400",
        "9" * 40,
        "9" * 5000,
        "0x1",
        "1_0",
        "1,5",
    ),
    *(
        "\u0661\u0662",
        "\x00",
        "\ufeff",
        "\u202e",
        "\ud7ff",
        "'",
        '"',
        '"""',
        "\\",
        "%",
        "{",
        "}",
        "{0 1}",
        "?",
        ",",
        ";",
        "\t",
    ),
    *(
        "\r",
        "\r\n",
        "\n\n",
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "file:///etc/passwd",
        "C:\\x",
        ".",
        "..",
        "-C 99999",
    ),
    *(
        "s3://bucket/x",
        "<script>alert(1)</script>",
        "&lol;",
        "&#0;",
        "]]>",
        "<!--",
        "<a>",
        "</a>",
        "null",
        "true",
        "~",
        "*a",
    ),
    *(
        "&a [*a, *a]",
        "!!python/object/apply:os.system ['true']",
        "!!binary x",
        "<<: *a",
        "2026-13-45",
        "- - -",
        "? :",
        "[" * DEPTH,
    ),
    *(
        "{a: " * DEPTH,
        "<a>" * DEPTH,
        "x" * 70_000,
        "__import__('os')",
        "train",
        "@data",
        "@attribute a {0,1}",
        "@end",
        "labels",
    ),
]
"""Texts that readers trip over."""
VALUES = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        2**31,
        2**63,
        2**64,
        -(2**63) - 1,
        10**400,
        0.5,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *(
        "",
        "0",
        "x",
        "nan",
        "../x",
        "/etc/passwd",
        "<script>",
        "a\x00b",
        "x" * 5000,
        "\ud800",
        [],
        {},
        [[]],
        [None],
        [1, "a"],
    ),
    *({"": 1}, {"a": {"b": []}}, [1] * 300, [[1, 2], [3]], {"id": 1}, "s3://u:secret@h/x", "9" * 5000),
]
"""Plain values of every kind where another kind is expected."""
XML_BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + level, b"&%c;" % (97 + level) * 10) for level in range(9)
)


def truncated(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def flipped(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 8, 64)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def overwritten(content: bytes, random: Random) -> bytes:
    """Put numbers at the edge of their ranges over four or eight bytes."""
    place, size = random.randrange(len(content) + 1), random.choice((1, 2, 4, 8))
    number = random.choice((0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1))
    return content[:place] + number.to_bytes(size, random.choice(("little", "big"))) + content[place + size :]


def spliced(content: bytes, random: Random) -> bytes:
    """Remove, repeat or move a part."""
    a, b = sorted((random.randrange(len(content) + 1), random.randrange(len(content) + 1)))
    to = random.randrange(len(content) + 1)
    return random.choice(
        (content[:a] + content[b:], content[:b] + content[a:], content[:to] + content[a:b] + content[to:])
    )


def with_word(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    return content[:place] + _word(random) + content[place + random.choice((0, 0, 1, 4)) :]


def other_token(content: bytes, random: Random) -> bytes:
    """Replace a number or a word by another."""
    found = list(re.finditer(rb"[-+\w.]+", content))
    if not found:
        return with_word(content, random)
    one = random.choice(found)
    return content[: one.start()] + _word(random) + content[one.end() :]


def other_lines(content: bytes, random: Random) -> bytes:
    """Swap, drop, repeat or join lines."""
    lines = content.splitlines(keepends=True) or [b""]
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            lines[a], lines[b] = lines[b], lines[a]
        case 1:
            del lines[a]
        case 2:
            lines.insert(b, lines[a])
        case _:
            lines[a] = lines[a].rstrip(b"\r\n")
    return b"".join(lines)


def bomb(content: bytes, random: Random) -> bytes:
    """Put a document type with entities of entities before XML, and use one."""
    body = re.sub(rb"^<\?xml.*?\?>", b"", content)
    return XML_BOMB + b"]>" + re.sub(rb'="[^"]*"', b'="&%c;"' % random.choice((97, 98, 106)), body, count=1)


def json_tree(content: bytes, random: Random) -> bytes:
    return json.dumps(_other_tree(json.loads(content), random)).encode()


def json_lines(content: bytes, random: Random) -> bytes:
    lines = content.splitlines()
    place = random.randrange(len(lines))
    lines[place] = json_tree(lines[place], random)
    return b"\n".join(lines) + b"\n"


def yaml_tree(content: bytes, random: Random) -> bytes:
    return yaml.safe_dump(_other_tree(yaml.safe_load(content), random), allow_unicode=True).encode("utf-8", "replace")


def arrays(content: bytes, random: Random) -> bytes:
    """Change, drop or add an array of an ``.npz`` archive."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    name = random.choice(sorted(found))
    if random.randrange(6) == 0:
        del found[name]
    else:
        found[name] = _other_array(found[name], random)
    buffer = io.BytesIO()
    random.choice((np.savez, np.savez_compressed))(buffer, **found)
    return buffer.getvalue()


def one_array(content: bytes, random: Random) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, _other_array(np.load(io.BytesIO(content), allow_pickle=False), random))
    return buffer.getvalue()


def table(content: bytes, random: Random) -> bytes:
    """Change, drop, rename or retype a column of a Parquet file, or its rows."""
    found = pq.read_table(io.BytesIO(content))
    column = random.randrange(found.num_columns)
    name, values = found.column_names[column], found.column(column).to_pylist()
    match random.randrange(6):
        case 0:
            found = found.drop_columns([name])
        case 1:
            names = [*found.column_names]
            names[column] = random.choice((*names, "", "x" * 300, "<b>"))
            found = found.rename_columns(names)
        case 2:
            found = found.slice(0, random.choice((0, 1, max(0, found.num_rows - 1))))
        case 3:
            found = found.replace_schema_metadata({b"pandas": _word(random), b"huggingface": _word(random)})
        case _:
            found = _with_cells(found, column, values, random)
    buffer = io.BytesIO()
    pq.write_table(found, buffer)
    return buffer.getvalue()


def archive(content: bytes, random: Random) -> bytes:
    """Rename, repeat or damage a member of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = [(info.filename, file.read(info)) for info in file.infolist()]
    members = _other_members(members, random)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, value in members:
            file.writestr(name or "x", value)
    return buffer.getvalue()


def tar(content: bytes, random: Random) -> bytes:
    """Rename, repeat or damage a member of a tar file, or make it a link."""
    with tarfile.open(fileobj=io.BytesIO(content)) as file:
        members = [(info.name, file.extractfile(info).read()) for info in file if info.isfile()]
    members = _other_members(members, random)
    buffer, linked = io.BytesIO(), random.randrange(3 * len(members) + 1)
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for number, (name, value) in enumerate(members):
            info = tarfile.TarInfo(name or "x")
            info.size = len(value)
            if number == linked:
                info.type, info.linkname, info.size = (
                    random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE)),
                    "/etc/passwd",
                    0,
                )
            file.addfile(info, io.BytesIO(value) if info.size else None)
    return buffer.getvalue()


def torch_state(content: bytes, random: Random) -> bytes:
    buffer = io.BytesIO()
    torch.save(_other_tree(torch.load(io.BytesIO(content), weights_only=True), random), buffer)
    return buffer.getvalue()


BYTES: tuple[Edit, ...] = (truncated, flipped, overwritten, spliced)
TEXT: tuple[Edit, ...] = (*BYTES, with_word, other_token, other_token, other_lines, other_lines)
OF_SUFFIX: dict[str, tuple[Edit, ...]] = {
    ".json": (*TEXT, *[json_tree] * 5),
    ".jsonl": (*TEXT, *[json_lines] * 5),
    ".yaml": (*TEXT, *[yaml_tree] * 5),
    ".xml": (*TEXT, bomb),
    ".npz": (*BYTES, *[arrays] * 4),
    ".npy": (*BYTES, *[one_array] * 3),
    ".parquet": (*BYTES, *[table] * 4),
    ".zip": (*BYTES, *[archive] * 3),
    ".tar": (*BYTES, *[tar] * 3),
    ".pt": (*BYTES, *[torch_state] * 3),
}


def edited(content: bytes, suffix: str, random: Random) -> bytes:
    """Return content with one to three changes that fit its kind; one that no longer fits is left out."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        edit = random.choice(OF_SUFFIX.get(suffix, TEXT if _is_text(content) else BYTES))
        try:
            content = edit(content, random)
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            EOFError,
            OverflowError,
            RuntimeError,
            TokenError,
        ):
            content = flipped(content, random)
        except (pa.ArrowException, yaml.YAMLError, zipfile.BadZipFile, tarfile.TarError, RecursionError, MemoryError):
            content = flipped(content, random)
        except Exception as error:
            if "pickl" not in type(error).__name__.lower() and type(error).__module__ not in ("zlib", "builtins"):
                raise
            content = flipped(content, random)
    return content


def _is_text(content: bytes) -> bool:
    return b"\x00" not in content[:1024]


def _word(random: Random) -> bytes:
    return random.choice(WORDS).encode("utf-8", "surrogatepass")


def _other_tree(tree: Any, random: Random) -> Any:
    """Change one node of nested lists and mappings, however deep."""
    if isinstance(tree, dict) and tree and random.randrange(8):
        key = random.choice(list(tree))
        match random.randrange(12):
            case 0:
                return {name: value for name, value in tree.items() if name != key}
            case 1:
                return {(random.choice(WORDS)[:50] if name == key else name): value for name, value in tree.items()}
            case 2:
                return tree | {random.choice(WORDS)[:50]: random.choice(VALUES)}
            case _:
                return tree | {key: _other_tree(tree[key], random)}
    if isinstance(tree, list) and tree and random.randrange(8):
        place = random.randrange(len(tree))
        match random.randrange(8):
            case 0:
                return tree[:place] + tree[place + 1 :]
            case 1:
                return tree[:place] + tree
            case _:
                return [*tree[:place], _other_tree(tree[place], random), *tree[place + 1 :]]
    return random.choice(VALUES)


def _other_array(array: np.ndarray, random: Random) -> np.ndarray:
    match random.randrange(8):
        case 0:
            return array[:-1] if array.ndim and len(array) else np.array(random.choice((0, 7, "x")))
        case 1:
            return np.concatenate([array, array]) if array.ndim else array.reshape(1)
        case 2:
            return array.reshape(-1) if random.randrange(2) else array[..., None]
        case 3:
            return array.astype(
                random.choice(("float64", "int8", "U8", "complex64", "bool", "datetime64[s]", "S4", "f2"))
            )
        case 4:
            return np.array(random.choice([*VALUES[:17], "x", ""]), dtype=None if random.randrange(2) else str)
    flat = array.copy().reshape(-1)
    if flat.size:
        special = (0, 1, -1, 2**31, -(2**31), 2**62, np.nan, np.inf, 1e300, 0.5)
        with np.errstate(all="ignore"):
            value = np.array(random.choice(special))
            flat[random.randrange(flat.size)] = value.astype(flat.dtype) if flat.dtype.kind in "iufb" else str(value)
    return flat.reshape(array.shape)


def _with_cells(found: pa.Table, column: int, values: list[Any], random: Random) -> pa.Table:
    """Change cells of a column; when their kinds no longer agree, it becomes text."""
    for _ in range(random.choice((1, 1, 5)) if values else 0):
        row = random.randrange(len(values))
        values[row] = _other_tree(values[row], random) if random.randrange(2) else random.choice(VALUES)
    name, kind = found.column_names[column], found.schema.field(column).type
    try:
        array = pa.array(values, kind if random.randrange(3) else None)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        array = pa.array([None if value is None else repr(value)[:99] for value in values])
    return found.set_column(column, name, array)


def _other_members(members: list[tuple[str, bytes]], random: Random) -> list[tuple[str, bytes]]:
    place = random.randrange(len(members))
    name, value = members[place]
    match random.randrange(6):
        case 0:
            return members[:place] + members[place + 1 :]
        case 1:
            return [*members, members[place]]
        case 2:
            members[place] = (
                random.choice(("../../x", "/tmp/d2ace-x", "a/../../b", name + "/", "x" * 120, "\u202e.jpg", ".")),
                value,
            )
        case 3:
            members[place] = name, value * 50
        case _:
            suffix = "." + name.rpartition(".")[2]
            members[place] = (
                name,
                random.choice(OF_SUFFIX.get(suffix, TEXT if _is_text(value) else BYTES))(value, random),
            )
    return members
