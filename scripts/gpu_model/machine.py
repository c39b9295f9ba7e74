# SPDX-License-Identifier: Apache-2.0
"""GPUs as facts, each with its source. A fact that the platform's baselines have is taken from the page that is
generated from them (docs/reference/parameters.md)."""
import dataclasses
import json
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
SHIPPED = HERE / "machines"
PARAMETERS = HERE.parents[1] / "docs/reference/parameters.md"

WHOLE = ("warp", "sector_bytes", "line_bytes", "tile", "sms", "warps_per_sm", "shared_bytes_per_sm")
NEEDED = (*WHOLE, "tensor_flops", "alu_flops", "bytes_per_s", "clock_hz", "latency_cycles", "launch_s")
# What kernels are known to reach of the peaks; a machine has all of these or none.
SHARES = ("dense_share", "sparse_share", "bandwidth_share")


@dataclasses.dataclass(frozen=True)
class Fact:
    value: float
    unit: str
    source: str
    tag: str


class Machine:
    """Its facts, and their values as attributes."""

    def __init__(self, key, name, facts):
        self.key, self.name, self.facts = key, name, facts

    def __getattr__(self, name):
        try:
            return self.__dict__["facts"][name].value
        except KeyError:
            raise AttributeError(name) from None

    @property
    def has_shares(self):
        return all(name in self.facts for name in SHARES)


def names():
    """The shipped machines."""
    return sorted(path.stem for path in SHIPPED.glob("*.json") if "base" in json.loads(path.read_text()))


def load(name):
    """A shipped machine, or that of a file. What is wrong is a ValueError."""
    path = SHIPPED / f"{name}.json" if name in names() else pathlib.Path(name)
    if not path.is_file():
        raise ValueError(f"found '{name}', expected {', '.join(names())} or a file like {SHIPPED / 'h100.json'}")
    content = content_of(path)
    facts = facts_of(path, content)
    for key in NEEDED:
        if key not in facts:
            raise ValueError(f"{path}: facts: found no {key}, expected a value with unit, source and tag")
    given = [key for key in SHARES if key in facts]
    if given and len(given) < len(SHARES):
        raise ValueError(f"{path}: facts: found {' and '.join(given)}, expected all of {', '.join(SHARES)}, or none")
    return Machine(path.stem, content["name"], facts)


def facts_of(path, content):
    """Its own, and those of its base that it has not."""
    facts = {}
    if "base" in content:
        base = SHIPPED / f"{content['base']}.json"
        if base == path or not base.is_file():
            known = ", ".join(sorted(other.stem for other in SHIPPED.glob("*.json")))
            raise ValueError(f"{path}: base: found '{content['base']}', expected one of {known}, or no base at all")
        facts = facts_of(base, content_of(base))
    return {**facts, **{key: fact_of(path, key, entry) for key, entry in content["facts"].items()}}


def content_of(path):
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: {error}; expected a machine in JSON like {SHIPPED / 'h100.json'}") from None
    kinds = {"name": str, "facts": dict}
    if not isinstance(content, dict) or not all(isinstance(content.get(key), kind) for key, kind in kinds.items()):
        raise ValueError(f"{path}: expected an object with name (text) and facts (an object), like {SHIPPED}/h100.json")
    return content


def fact_of(path, key, entry):
    if key not in NEEDED + SHARES:
        raise ValueError(f"{path}: facts: found {key}, expected {', '.join(NEEDED + SHARES)}")
    referring = isinstance(entry, dict) and "parameter" in entry
    fact = of_parameter(path, key, entry) if referring else given(path, key, entry)
    whole = key in WHOLE
    right = isinstance(fact.value, (int, float)) and not isinstance(fact.value, bool) and 0 < fact.value < float("inf")
    if not right or (whole and fact.value != int(fact.value)) or (key in SHARES and fact.value > 1):
        expected = "a whole number above 0" if whole else "a share up to 1" if key in SHARES else "a number above 0"
        raise ValueError(f"{path}: {key}: value: found {fact.value!r}, expected {expected}")
    return fact


def given(path, key, entry):
    keys = ("value", "unit", "source", "tag")
    if not isinstance(entry, dict) or set(entry) != set(keys):
        found = ", ".join(entry) if isinstance(entry, dict) else repr(entry)
        raise ValueError(f"{path}: {key}: found {found}; expected {', '.join(keys)}: each figure needs its source")
    for name in keys[1:]:
        if not isinstance(entry[name], str) or not entry[name].strip():
            raise ValueError(f"{path}: {key}: {name}: found {entry[name]!r}, expected words")
    return Fact(**entry)


def of_parameter(path, key, entry):
    """The default of a parameter, or a figure of the choice that is its default, from what describes the choices."""
    if set(entry) not in ({"parameter"}, {"parameter", "figure", "factor", "unit"}):
        raise ValueError(f"{path}: {key}: found {', '.join(entry)}; expected parameter, or also figure, factor, unit")
    row = re.search(rf"(?m)^\| `{re.escape(str(entry['parameter']))}` \|(.*)\|$", PARAMETERS.read_text())
    if row is None:
        raise ValueError(f"{path}: {key}: parameter: found {entry['parameter']}, expected one of {PARAMETERS}")
    default, unit, _, description, source, confidence = (cell.strip() for cell in row[1].split(" | "))
    if "figure" not in entry:
        try:
            return Fact(float(default), unit, source, f"confidence {confidence}")
        except ValueError:
            raise ValueError(f"{path}: {key}: parameter: found the default {default}, expected a number") from None
    choice = re.search(rf"\b{re.escape(default)}: ([^;]*)", description)
    figure = choice and re.search(rf"([0-9.]+) {re.escape(str(entry['figure']))}(?![\w/])", choice[1])
    if not figure:
        raise ValueError(f"{path}: {key}: figure: found none in {entry['figure']} of {default} in: {description}")
    return Fact(float(figure[1]) * entry["factor"], entry["unit"], f"{source}, {default}", f"confidence {confidence}")
