"""Data as programs write it: much of it constant, empty or zero."""

from __future__ import annotations

import base64
import csv
import io
import json
import random

from benches.benign.words import CITIES, NAMES, THINGS

__all__ = [
    "base64_lines",
    "bits",
    "calendar",
    "constant_columns",
    "digits",
    "dna",
    "embedding",
    "empty_cells",
    "handshake",
    "hexdump",
    "hosts",
    "links",
    "padding",
    "picture",
    "records",
    "schema",
    "sectors",
    "services",
    "settings",
    "sparse_columns",
    "svg",
    "track",
    "zeros",
]


def zeros(_: random.Random) -> str:
    """JSON with an array of zeros."""
    return json.dumps({"name": "mask", "shape": [12, 12], "values": [0] * 60, "scale": 1.5}, indent=2)


def records(rng: random.Random) -> str:
    """JSON with objects of the same keys."""
    rows = [
        {"id": k, "name": name, "active": rng.random() < 0.9, "role": "user", "score": rng.randrange(100)}
        for k, name in enumerate(NAMES, 1)
    ]
    return json.dumps(rows, indent=2)


def schema(_: random.Random) -> str:
    """JSON schema with equal properties."""
    each = {thing: {"type": "string", "description": f"The {thing}."} for thing in THINGS}
    return json.dumps({"type": "object", "properties": each, "required": THINGS[:4]}, indent=2)


def embedding(rng: random.Random) -> str:
    """An embedding."""
    return json.dumps({"embedding": [round(rng.gauss(0, 0.05), 6) for _ in range(200)]})


def constant_columns(rng: random.Random) -> str:
    """CSV with constant columns."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["time", "sensor", "unit", "state", "value"])
    for k in range(48):
        writer.writerow(
            [
                f"2024-05-{1 + k // 24:02}T{k % 24:02}:00:00Z",
                "north-3",
                "kPa",
                "OK",
                f"{rng.gauss(101, 1):.1f}",
            ]
        )
    return out.getvalue()


def sparse_columns(rng: random.Random) -> str:
    """CSV with hardly a value in it."""
    rows = [
        ",".join([str(k), *(str(rng.randrange(9)) if rng.random() < 0.1 else "" for _ in range(14))])
        for k in range(50)
    ]
    return "id," + ",".join(f"q{k}" for k in range(1, 15)) + "\n" + "\n".join(rows) + "\n"


def digits(rng: random.Random) -> str:
    """Numbers, one a line, few of them different."""
    return "".join(f"{rng.choice((0, 0, 1, 1, 2, 5))}\n" for _ in range(300))


def bits(rng: random.Random) -> str:
    """Bits in groups of eight."""
    return " ".join(f"{rng.randrange(256):08b}" for _ in range(150))


def services(rng: random.Random) -> str:
    """YAML of many equal services."""
    return "services:\n" + "".join(
        f"  {thing}:\n    image: registry.local/{thing}:1.{rng.randrange(20)}\n    restart: always\n"
        f"    networks:\n      - backend\n    environment:\n      LOG_LEVEL: info\n"
        for thing in THINGS
    )


def links(_: random.Random) -> str:
    """HTML with a list of links."""
    rows = "".join(f'      <li class="item"><a href="/{each}">{each.title()}</a></li>\n' for each in THINGS)
    return f'<!doctype html>\n<html>\n  <body>\n    <ul class="menu">\n{rows}    </ul>\n  </body>\n</html>\n'


def empty_cells(rng: random.Random) -> str:
    """HTML with a table of empty cells."""
    cells = "".join(
        "  <tr>\n"
        + "".join(f"    <td>{'' if rng.random() < 0.7 else city}</td>\n" for _ in range(3))
        + "  </tr>\n"
        for city in CITIES
    )
    return f"<table>\n{cells}</table>\n"


def track(rng: random.Random) -> str:
    """XML of points."""
    rows = "".join(
        f'    <trkpt lat="{47 + rng.random():.5f}" '
        f'lon="{8 + rng.random():.5f}"><ele>{400 + k}</ele></trkpt>\n'
        for k in range(28)
    )
    return f'<?xml version="1.0"?>\n<gpx>\n  <trkseg>\n{rows}  </trkseg>\n</gpx>\n'


def svg(rng: random.Random) -> str:
    """An SVG path."""
    points = " ".join(f"L{rng.randrange(400)},{rng.randrange(400)}" for _ in range(120))
    return f'<svg viewBox="0 0 400 400"><path d="M0,0 {points} Z" fill="none" stroke="#000"/></svg>'


def hexdump(rng: random.Random) -> str:
    """A hex dump with many zeros."""
    return _dump(bytes(rng.choice((0, 0, 0, 0, 0, 255, rng.randrange(256))) for _ in range(16 * 36)))


def handshake(rng: random.Random) -> str:
    """A recorded packet as a hex dump, padded with zeros."""
    return _dump(rng.randbytes(40) + bytes(32) + rng.randbytes(60) + bytes(21) + rng.randbytes(30))


def sectors(rng: random.Random) -> str:
    """The beginning of a disk as a hex dump: more zeros than anything else."""
    return _dump(b"\xeb\x3c\x90MSDOS5.0" + bytes(46) + rng.randbytes(20) + bytes(60) + b"\x55\xaa")


def padding(rng: random.Random) -> str:
    """The same as an array in C."""
    raw = rng.randbytes(50) + bytes(44) + rng.randbytes(50)
    rows = (", ".join(f"0x{byte:02x}" for byte in raw[at : at + 12]) for at in range(0, len(raw), 12))
    return "static const unsigned char header[] = {\n    " + ",\n    ".join(rows) + ",\n};\n"


def _dump(raw: bytes) -> str:
    lines = []
    for at in range(0, len(raw), 16):
        row = raw[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row[:8].hex(' ')}  {row[8:].hex(' ')}  |{text}|")
    return "\n".join(lines) + "\n"


def picture(rng: random.Random) -> str:
    """A picture in base64 with a run of equal bytes."""
    raw = rng.randbytes(500) + bytes(36) + rng.randbytes(500)
    return "data:image/png;base64," + base64.b64encode(raw).decode()


def base64_lines(rng: random.Random) -> str:
    """Base64 in lines of 76 characters."""
    return base64.encodebytes(b"".join(rng.randbytes(21) + b"record\0\0\0\0" for _ in range(40))).decode()


def dna(rng: random.Random) -> str:
    """FASTA with a short tandem repeat."""
    bases = "".join(rng.choice("ACGT") for _ in range(700)) + "CAG" * 9
    bases += "".join(rng.choice("ACGT") for _ in range(700))
    return ">read_1 chr4\n" + "\n".join(bases[at : at + 70] for at in range(0, len(bases), 70)) + "\n"


def settings(_: random.Random) -> str:
    """Settings, one like the other."""
    return "".join(f"feature.{a}.{b}.enabled=true\n" for a in THINGS[:8] for b in ("read", "write", "admin"))


def hosts(rng: random.Random) -> str:
    """Addresses and names."""
    return "".join(
        f"10.0.{rng.randrange(4)}.{k}\t{name}.example.org\t{name}\n" for k, name in enumerate(NAMES * 2, 10)
    )


def calendar(_: random.Random) -> str:
    """A calendar with weekly events."""
    return "BEGIN:VCALENDAR\nVERSION:2.0\n" + "".join(
        f"BEGIN:VEVENT\nUID:{each}@example.org\nSUMMARY:Clean the {each}\nRRULE:FREQ=WEEKLY\nEND:VEVENT\n"
        for each in THINGS
    )
