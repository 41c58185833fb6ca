"""The quantised tensors of a file: each held against the table of conventions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .conventions import CODE_BOOKS, CONVENTIONS, SATELLITES, Convention
from .declared import BITS, Declared, contradiction, declared
from .files.stored import FLOATS, Files, Stored
from .graphs import linked
from .grids import grid_of, is_transposed
from .kinds import Finding
from .tensors import Grid, Quantised

FP8 = ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz")
PACKED = {"low": (2, 1), "high": (2, 1), "dense": (4, 3)}  # so many codes in so many bytes
GGUF = {"gguf.mxfp4": (32, 17), "gguf.nvfp4": (64, 36)}


@dataclass
class Recognised:
    """``tensors``: quantised ones.  ``books``: names of code books that are not judged, and their tensors.  ``others``:
    tensors that are not quantised.  ``findings``: what belongs to no quantised tensor."""

    said: Declared
    tensors: list[Quantised] = field(default_factory=list)
    books: dict[str, list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass
class _Fit:
    """How well a tensor fits a convention: ``wrong`` says what does not."""

    row: Convention
    stem: str
    scale: Stored | None
    whole: Stored | None
    shape: tuple[int, ...]
    grid: Grid | None
    scale_format: str
    wrong: list[tuple[str, str]]


def recognise(files: Files) -> Recognised:
    """Every quantised tensor of a file under the convention that it follows, or follows best."""
    found = Recognised(declared(files))
    fits = {t.name: list(_fits(files, t, found.said)) for t in files.tensors.values()}
    usual = Counter(f.row.name for each in fits.values() for f in each if not f.wrong)
    found.tensors, found.books, claimed = linked(files)
    for tensor in files.tensors.values():
        if tensor.name in claimed:
            continue
        book = _book(files, tensor)
        if book is not None and all(f.wrong for f in fits[tensor.name]):
            found.books.setdefault(book, []).append(tensor.name)
            claimed |= {n for n in files.tensors if n.startswith(_stem(tensor.name) + ".") and n != tensor.name}
            continue
        best = _best([f for f in fits[tensor.name] if _plausible(f, tensor, found.said, usual)], found.said, usual)
        if best is None:
            if fits[tensor.name]:  # bytes with scales of types that no convention here has: integers of some kind
                found.books.setdefault("packed integers", []).append(tensor.name)
                claimed |= {n for n in files.tensors if n.startswith(f"{tensor.name}_")}
            continue
        one = _quantised(tensor, best, found.said)
        if not best.wrong:
            rows = (fit.row for fit in fits[tensor.name] if not fit.wrong and fit.row is not best.row)
            one.also = tuple(row for row in rows if found.said.method in (None, *row.methods))
        found.tensors.append(one)
        claimed |= {t.name for t in (tensor, best.scale, best.whole) if t is not None}
    quantised = {t.name for t in found.tensors}
    for tensor in files.tensors.values():
        if tensor.name in claimed or tensor.name in quantised:
            continue
        if tensor.kind in FP8 and tensor.size and not (files.form == "onnx" and tensor.size == 1):
            found.tensors.append(_unscaled(files, tensor, found.said, usual))
        else:
            _leftover(files, tensor, found, quantised)
    order = {name: i for i, name in enumerate(files.tensors)}
    found.tensors.sort(key=lambda t: order[t.name])
    for kind, text, at in files.notes:
        found.findings.append(Finding(kind, text, at))
    return found


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _fits(files: Files, tensor: Stored, said: Declared) -> Iterator[_Fit]:
    """The conventions whose spelling a tensor and its neighbours have."""
    for row in CONVENTIONS:
        if tensor.kind not in row.codes or not tensor.name.endswith(row.weight) or not tensor.size or not tensor.shape:
            continue
        if row.declared and (said.element is None or (said.element != row.element and BITS[said.element] == 6)):
            continue
        stem = tensor.name.removesuffix(row.weight) if row.weight else tensor.name
        scale = next((files.tensors[stem + end] for end in row.scale if stem + end in files.tensors), None)
        if scale is None and row.pack != "gguf":
            if row.weight in ("_packed", "_blocks") and tensor.kind == "u8":
                wrong = [("scale-missing", f"{stem + row.scale[0]} is not there")]
                yield _Fit(row, stem, None, None, _logical(tensor, row), None, "f32", wrong)
            continue
        yield _held(files, tensor, row, stem, scale, said)


def _logical(tensor: Stored, row: Convention) -> tuple[int, ...]:
    """The shape of the elements."""
    shape = tensor.shape
    if row.pack == "gguf":
        per, width = GGUF[tensor.kind]
        return (*shape[:-1], shape[-1] // width * per)
    if row.weight == "_blocks" and len(shape) > 1:
        shape = (*shape[:-2], shape[-2] * shape[-1])
    codes, size = PACKED.get(row.pack, (1, 1))
    return (*shape[:-1], shape[-1] * codes // size)


def _held(files: Files, tensor: Stored, row: Convention, stem: str, scale: Stored | None, said: Declared) -> _Fit:
    """A tensor and its scales held against one convention."""
    wrong: list[tuple[str, str]] = []
    shape = _logical(tensor, row)
    element = row.element or tensor.kind
    kinds = {kind: held or kind for kind, _, held in (k.partition("=") for k in row.scales)}
    whole = files.tensors.get(stem + row.whole) if row.whole else None
    if row.pack == "gguf":
        own = _gguf_grid(shape, row)
        return _Fit(row, stem, None, whole, shape, own, "e8m0fnu" if own.c == 32 else "e4m3fn", wrong)
    assert scale is not None
    scale_format = kinds.get(scale.kind, scale.kind)
    if scale.kind not in kinds:
        wrong.append(("scale-dtype", f"{scale.name} is {scale.kind}; {row.name} stores {', '.join(kinds)}"))
    block = said.block if BITS[element] == 8 or (said.block or (0, 0))[0] == 1 else None
    shape_of_scale = scale.shape
    grid = grid_of(shape, shape_of_scale, row.grains, row.layouts, block)
    turned = is_transposed(shape, shape_of_scale, row.grains, block)
    if grid is None or (turned and grid.name not in row.grains):
        grid = None
        what = f"{scale.name} has the shape {scale.shape} for elements {shape}"
        if turned:
            wrong.append(("scale-transposed", f"{what}: rows and columns are exchanged"))
        elif any(grid_of(shape, shape_of_scale, (g,), ("128x4",)) for g in row.grains if "x" in g and g != "RxC"):
            wrong.append(("scale-swizzled", f"{what}: they lie in tiles of 128 by 4, which {row.name} does not use"))
        else:
            wrong.append(("shape", f"{what}; {row.name} has {', '.join(g for g in row.grains if g != 'RxC')}"))
    if row.whole and whole is None and row.name not in OPTIONAL_WHOLE:
        wrong.append(("scale-missing", f"{stem + row.whole} is not there"))
    if whole is not None and whole.kind not in FLOATS:
        wrong.append(("scale-dtype", f"{whole.name} is {whole.kind}, not f32"))
        whole = None
    elif whole is not None and whole.size not in (1, grid.matrices if grid else 1):
        wrong.append(("shape", f"{whole.name} has the shape {whole.shape}: one scale is expected"))
        whole = None
    return _Fit(row, stem, scale, whole, shape, grid, scale_format, wrong)


OPTIONAL_WHOLE = ("torchao NVFP4",)


def _gguf_grid(shape: tuple[int, ...], row: Convention) -> Grid:
    c = int(row.grains[0].partition("x")[2])
    rows = shape[-2] if len(shape) > 1 else 1
    lead = 1
    for n in shape[:-2]:
        lead *= n
    return Grid(1, c, rows, shape[-1] // c, lead, False, row.grains[0], "gguf")


def _rank(fit: _Fit, said: Declared, usual: Counter[str]) -> tuple[int, int, int, int]:
    """The order of preference: what fits, what is declared, what the rest of the file follows, the table."""
    foreign = said.method is not None and said.method not in fit.row.methods
    grave = sum(1 if kind == "scale-missing" else 2 for kind, _ in fit.wrong)
    return (grave, int(foreign), -usual[fit.row.name] if fit.wrong else 0, CONVENTIONS.index(fit.row))


def _plausible(fit: _Fit, tensor: Stored, said: Declared, usual: Counter[str]) -> bool:
    """May bytes that fit a convention badly be meant as it?  Integers of all kinds lie in bytes beside scales, too."""
    if not fit.wrong or tensor.kind in FP8 or fit.row.weight not in ("", ".weight"):
        return True
    return usual[fit.row.name] > 0 or any(s.kind == "float" and s.bits in (4, 6) for s in said.schemes)


def _best(fits: list[_Fit], said: Declared, usual: Counter[str]) -> _Fit | None:
    if not fits:
        return None
    ranked = sorted(fits, key=lambda fit: _rank(fit, said, usual))
    return ranked[0]


def _quantised(tensor: Stored, fit: _Fit, said: Declared) -> Quantised:
    element = fit.row.element or tensor.kind
    grid = fit.grid
    if grid is None:
        rows = fit.shape[-2] if len(fit.shape) > 1 else 1
        lead = 1
        for n in fit.shape[:-2]:
            lead *= n
        grid = Grid(rows, fit.shape[-1], 1, 1, lead, False, "unknown")
    readable = not any(kind in UNREADABLE for kind, _ in fit.wrong)
    found = Quantised(
        tensor.name, fit.stem, fit.row, element, tensor, fit.scale if readable else None, fit.whole, fit.shape, grid,
        fit.scale_format,
    )  # fmt: skip
    for kind, text in fit.wrong:
        found.find(kind, text)
    if grid.name != "unknown":
        _against_config(found, said)
    return found


UNREADABLE = ("scale-missing", "scale-dtype", "shape", "scale-transposed", "scale-swizzled")


def _against_config(t: Quantised, said: Declared) -> None:
    """Does a tensor contradict what its config says?"""
    what = contradiction(said, t.element, (t.grid.r, t.grid.c), t.name, t.rows, t.columns)
    if what:
        t.find("config", what)
    if said.element and BITS[t.element] == 8 and said.element[:4] != t.element[:4]:
        t.find("format", f"{said.at} declares {said.element}, and the codes are stored as {t.element}")
    module = _stem(t.stem) if t.stem.endswith(".weight") else t.stem
    if module and module in said.ignored:
        t.find("config", f"{said.at} says that {module} is not quantised")
    if said.method in STRICT and t.convention.methods and said.method not in t.convention.methods:
        t.find("config", f"{said.at} declares {said.method}, and the tensor is stored as {t.convention.name} is")


# methods that store in one way alone; the others export in the ways of several readers
STRICT = ("compressed-tensors", "modelopt", "fp8", "mxfp4", "fbgemm_fp8", "quanto")

NONE = Convention("FP8 without scales", (), "the dtype alone", scale=(), scales=(), grains=("tensor",))


def _unscaled(files: Files, tensor: Stored, said: Declared, usual: Counter[str]) -> Quantised:
    """Codes of 8 bits beside which no scale stands."""
    shape = tensor.shape or (1,)
    rows = shape[-2] if len(shape) > 1 else 1
    lead = 1
    for n in shape[:-2]:
        lead *= n
    row = next((r for r in CONVENTIONS if said.method in r.methods and tensor.kind in r.codes), NONE)
    if row is NONE and usual and tensor.name.endswith(("weight", "_qdata", "_data")):
        row = next((r for r in CONVENTIONS if r.name == usual.most_common(1)[0][0] and tensor.kind in r.codes), NONE)
    found = Quantised(tensor.name, tensor.name, row, tensor.kind, tensor, None, None, shape,
                      Grid(rows, shape[-1], 1, 1, lead, True, "none"), "f32")  # fmt: skip
    if row is not NONE and said.method not in row.methods:
        found.findings = []  # the others have scales; whether these codes need one, their range decides
    elif row is not NONE and len(tensor.shape) > 1:
        stem = tensor.name.removesuffix(row.weight) if row.weight else tensor.name
        other = _respelled(files, stem)
        if other:
            found.find("scale-missing", f"no {stem + row.scale[0]} ({row.name}); {other} may be meant")
        else:
            found.find("scale-missing", f"no {stem + row.scale[0]} stands beside the codes, and {row.name} needs one")
    return found


SPELLINGS = ("_scale", "_scale_inv", ".scale", "_scales", "._scale", ".weight_scale", ".scale_weight", "_scale_2")


def _respelled(files: Files, stem: str) -> str:
    base = stem.removesuffix(".weight")
    return next((base + end for end in SPELLINGS if base + end in files.tensors), "")


def _book(files: Files, tensor: Stored) -> str | None:
    """The code book of a tensor that is recognised and not judged."""
    for name, end, kinds, beside in CODE_BOOKS:
        if tensor.kind in kinds and tensor.name.endswith(end):
            stem = tensor.name.removesuffix(end) if end else tensor.name
            if any(stem + other in files.tensors for other in beside):
                return name
    if tensor.kind.startswith(("gguf.", "int4", "uint4")) and tensor.kind not in GGUF:
        return tensor.kind.replace("gguf.", "GGUF ")
    return None


ORPHANS = ("_scale_inv", "_scale", "_scales", "_scale_2", "_global_scale", "._scale", ".scale_weight", "_blocks")


def _leftover(files: Files, tensor: Stored, found: Recognised, quantised: set[str]) -> None:
    """A tensor that belongs to no quantised one: plain weights, activations' scales, or a scale that lost its codes."""
    name = tensor.name
    end = next((e for e in ORPHANS if name.endswith(e)), None)
    if end == "_scales" and tensor.kind not in ("u8", "e8m0fnu"):
        end = None
    plain = name.endswith(SATELLITES) or not tensor.kind.startswith(("f", "b", "e", "u"))
    if plain or end is None or ("weight" not in name.rpartition(".")[2] and end not in ("._scale", "_scales")):
        found.others.append(name)
        return
    base = name.removesuffix(end)
    owners = [n for n in (base, base + "_packed", base + "_blocks", base + "._data", base + "_qdata", base + ".weight")
              if n in files.tensors]  # fmt: skip
    taken = [n for n in owners if n in quantised]
    if taken:
        one = next(t for t in found.tensors if t.name == taken[0])
        used = one.scale.name if one.scale is not None else "none"
        one.find("leftover", f"{name} stands beside it, and {one.convention.name} uses {used}")
        return
    if any(n in some for some in found.books.values() for n in owners):
        found.others.append(name)
    elif owners:
        kind = files.tensors[owners[0]].kind
        found.findings.append(Finding("scale-orphaned", f"{owners[0]} is {kind}, which needs no scale", name))
    elif base in files.elsewhere or base + "_packed" in files.elsewhere:
        found.others.append(name)
    else:
        found.findings.append(Finding("scale-orphaned", f"no codes {base} stand in the file", name))
