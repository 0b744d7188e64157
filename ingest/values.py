"""How a profile says where a value comes from: a closed vocabulary, checked when the profile is loaded."""

from __future__ import annotations

import contextlib
import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.errors import IngestError, Reject
from ingest.header import tag_matches
from layers.layer import code_list

Reader = Callable[[Mapping[str, Any]], Any]
"""Takes the values of a row, gives the value or None; raises Reject."""

_KEYS = frozenset(
    (
        *("column", "columns", "separator", "constant", "hash"),
        *("codes", "labels", "otherwise", "bands", "formats", "empty", "scale", "split", "filled", "prefix"),
    )
)
_EMPTY = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "--", "#n/a"))
_NOT_GIVEN: Any = object()


@dataclass(frozen=True)
class Spec:
    """One value of a record, as a profile describes it.

    `column` names a column, or alternatives of which the first present one counts; a name that begins with # is an
    HXL tag. `columns` joins several with `separator`. `constant` and `hash` (of columns) take no cell. The rest
    changes what was read: `empty` names further words for nothing, `codes` translates (a key that ends with * stands
    for all that begins so), `labels` adds codes and labels of one of our code lists to `codes`, `otherwise` is for the
    rest, `bands` gives the value of the highest lower bound reached, `scale` multiplies, `split` makes a list,
    `filled` tells whether there is a value at all, `prefix` is put before a value that there is.
    """

    column: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    separator: str = " "
    constant: Any = _NOT_GIVEN
    hash: tuple[str, ...] = ()
    codes: Mapping[str, Any] | None = None
    prefixes: tuple[tuple[str, Any], ...] = ()
    otherwise: Any = _NOT_GIVEN
    bands: tuple[tuple[float, Any], ...] = ()
    formats: tuple[str, ...] = ()
    empty: frozenset[str] = frozenset()
    scale: float | None = None
    split: str | None = None
    filled: bool = False
    prefix: str = ""
    alternatives: tuple[Spec, ...] = field(default=())
    """Tried in order; the first that gives a value counts."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are read."""
        own = (*self.column, *self.columns, *(n for n in self.hash if n not in ("row", "geometry")))
        return (*own, *(n for a in self.alternatives for n in a.names))

    @property
    def outcomes(self) -> tuple[Any, ...]:
        """All values that the profile itself names."""
        own = [*(self.codes or {}).values(), *(v for _, v in self.prefixes), *(v for _, v in self.bands)]
        own += [v for v in (self.constant, self.otherwise) if v is not _NOT_GIVEN]
        return (*own, *(v for a in self.alternatives for v in a.outcomes))


def spec(data: Any, where: str) -> Spec:
    """Read a spec from a profile. Raises IngestError that names the place for an unknown key."""
    if isinstance(data, str):
        return Spec(column=(data,))
    if isinstance(data, list):
        return Spec(alternatives=tuple(spec(d, where) for d in data))
    if not isinstance(data, dict):
        return Spec(constant=data)
    unknown = set(data) - _KEYS
    if unknown:
        raise IngestError(
            f"{where}: unknown key {', '.join(sorted(map(str, unknown)))}; known are {', '.join(sorted(_KEYS))}"
        )
    sources = [k for k in ("column", "columns", "constant", "hash") if k in data]
    if len(sources) != 1:
        raise IngestError(f"{where}: give exactly one of column, columns, constant and hash")
    codes = _codes(data, where)
    return Spec(
        column=_texts(data.get("column", ())),
        columns=_texts(data.get("columns", ())),
        separator=str(data.get("separator", " ")),
        constant=data.get("constant", _NOT_GIVEN),
        hash=_texts(data.get("hash", ())),
        codes=None if codes is None else {k: v for k, v in codes.items() if not k.endswith("*")},
        prefixes=tuple(sorted(((k[:-1], v) for k, v in (codes or {}).items() if k.endswith("*")), reverse=True)),
        otherwise=data.get("otherwise", _NOT_GIVEN),
        bands=tuple(sorted((float(k), v) for k, v in data.get("bands", {}).items())),
        formats=_texts(data.get("formats", ())),
        empty=frozenset(key(e) for e in _texts(data.get("empty", ()))),
        scale=float(data["scale"]) if "scale" in data else None,
        split=data.get("split"),
        filled=bool(data.get("filled", False)),
        prefix=str(data.get("prefix", "")),
    )


def _codes(data: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    codes: dict[str, Any] = {}
    if "labels" in data:
        try:
            listed = code_list(str(data["labels"]))
        except OSError:
            raise IngestError(f"{where}: no code list {data['labels']!r}; correct the name") from None
        for code in listed.codes:
            codes.update({key(label): code.code for label in code.label.values()})
        codes.update({key(code.code): code.code for code in listed.codes})
    elif "codes" not in data:
        return None
    given = data.get("codes", {})
    if not isinstance(given, dict):
        raise IngestError(f"{where}: codes is a mapping from what stands in the file to the code")
    return {**codes, **{key(k): v for k, v in given.items()}}


def key(value: object) -> str:
    """A cell as it is compared: without case, outer and double spaces, and the .0 that tables give to whole numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = " ".join(str(value).split()).casefold()
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


@dataclass
class Columns:
    """The columns of one file; finds them whatever their case, or by HXL tag. Keeps what a profile asked in vain."""

    names: Sequence[str]
    tags: Mapping[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._by_key = {key(n): n for n in reversed(self.names)}

    def find(self, name: str) -> str | None:
        if name.startswith("#"):
            return next((column for column, tag in self.tags.items() if tag_matches(name, tag)), None)
        return self._by_key.get(key(name))

    def first(self, names: Iterable[str]) -> str | None:
        """The first of the columns that the file has."""
        return next((f for f in map(self.find, names) if f is not None), None)


def bind(one: Spec, columns: Columns) -> Reader:
    """Make the spec ready for the columns of a file, once, so that a row costs little."""
    if one.names and columns.first(one.names) is None:
        columns.missing.add(" or ".join(one.names))
    if one.alternatives:
        return _bind_alternatives([bind(a, Columns(columns.names, columns.tags)) for a in one.alternatives])
    if one.constant is not _NOT_GIVEN:
        return lambda values: one.constant
    if one.hash:
        every = one.hash == ("row",)
        hashed = list(columns.names) if every else [c for c in map(columns.find, one.hash) if c]
        return lambda values: _digest(values.get(c) for c in hashed)
    if one.columns:
        joined = [c for c in map(columns.find, one.columns) if c]
        label = joined[0] if joined else one.columns[0]

        def raw(values: Mapping[str, Any]) -> Any:
            parts = (clean(values.get(c), one.empty) for c in joined)
            return one.separator.join(str(p) for p in parts if p is not None) or None
    else:
        found = columns.first(one.column)
        label = found or one.column[0]

        def raw(values: Mapping[str, Any]) -> Any:
            return clean(values.get(found), one.empty) if found else None

    def read(values: Mapping[str, Any]) -> Any:
        return _changed(one, raw(values), label)

    return read


def _bind_alternatives(readers: Sequence[Reader]) -> Reader:
    def read(values: Mapping[str, Any]) -> Any:
        fault: Reject | None = None
        for reader in readers:
            try:
                value = reader(values)
            except Reject as reject:
                fault = fault or reject
                continue
            if value is not None:
                return value
        if fault:
            raise fault
        return None

    return read


def _changed(one: Spec, value: Any, label: str) -> Any:
    if one.filled:
        return value is not None
    if value is None:
        return one.codes.get("") if one.codes else None
    if one.codes is not None:
        folded = key(value)
        found = one.codes.get(folded, _NOT_GIVEN)
        if found is _NOT_GIVEN:
            found = next((code for start, code in one.prefixes if folded.startswith(start)), one.otherwise)
        if found is _NOT_GIVEN:
            raise Reject(
                label, f"unknown value {str(value)[:60]!r}", "correct it or add it to the codes of the profile"
            )
        return found
    if one.bands or one.scale is not None:
        number = as_number(value, label)
        if one.scale is not None:
            return round(number * one.scale, 6)
        reached = [v for bound, v in one.bands if number >= bound]
        return reached[-1] if reached else None
    if one.split is not None:
        parts = value if isinstance(value, list) else str(value).split(one.split)
        return [str(part).strip() for part in parts if str(part).strip()]
    return f"{one.prefix}{value}" if one.prefix else value


def clean(value: Any, empty: frozenset[str] = frozenset()) -> Any:
    """A cell without outer spaces and NULs; None for what stands for nothing."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, str):
        value = value.replace("\0", "").strip()
    folded = key(value)
    return None if folded in _EMPTY or folded in empty else value


def as_number(value: Any, label: str) -> float:
    """A number as tables write it: 1234.5, `1 234`, 1,234. Raises Reject."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
    if text.count(",") and "." not in text and len(text.rsplit(",", 1)[1]) != 3:
        text = text.replace(",", ".") if text.count(",") == 1 else text
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        raise Reject(label, f"{str(value)[:40]!r} is no number", "write digits only") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise Reject(label, f"{str(value)[:40]!r} is no number", "write digits only")
    return number


def text_of(value: Any) -> str:
    """A value as text in one normal form (NFC), so that equal names are equal; whole numbers without .0.

    Text that was encoded twice (NdÃ©lÃ©) is mended: no real text is valid UTF-8 when its letters are taken for bytes.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value)
    if "Ã" in text or "Â" in text:
        with contextlib.suppress(UnicodeError):
            text = text.encode("cp1252").decode("utf-8")
    return unicodedata.normalize("NFC", text).strip()


def _digest(values: Iterable[Any]) -> str:
    """A stable id for rows without one: it changes when any of the hashed cells changes."""
    joined = "\x1f".join("" if v is None else str(v).strip() for v in values)
    return hashlib.sha256(joined.encode()).hexdigest()[:24]


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(str(v) for v in value)
    return (str(value),)
