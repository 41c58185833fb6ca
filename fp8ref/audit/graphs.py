"""Tensors of a graph: DequantizeLinear says which scale is whose, whatever their names."""

from __future__ import annotations

from .conventions import Convention
from .files.stored import Files, Stored
from .grids import grid_of
from .tensors import Grid, Quantised

JUDGED = ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e2m1fn")


def linked(files: Files) -> tuple[list[Quantised], dict[str, list[str]], set[str]]:
    """Quantised tensors, code books with their tensors, and the names of everything that a node ties together."""
    found: list[Quantised] = []
    books: dict[str, list[str]] = {}
    claimed: set[str] = set()
    for name, link in files.links.items():
        tensor = files.tensors[name]
        claimed |= {name, link["scale"], link["zero"]}
        if tensor.kind in JUDGED:
            scale = files.tensors.get(link["scale"])
            found.append(_quantised(tensor, scale, link.get("axis", 1), link.get("block_size", 0)))
        else:
            books.setdefault(f"ONNX {tensor.kind}", []).append(name)
    return found, books, claimed


def _quantised(tensor: Stored, scale: Stored | None, axis: int, block: int) -> Quantised:
    row = Convention(
        "ONNX DequantizeLinear", ("onnx", "onnxruntime"), "ONNX operators, DequantizeLinear", codes=(tensor.kind,),
        pack="low" if tensor.kind == "e2m1fn" else "", element=tensor.kind, stacks=("onnx",),
    )  # fmt: skip
    shape = (*tensor.shape[:-1], tensor.columns * (2 if row.pack else 1))
    rows = shape[-2] if len(shape) > 1 else 1
    stem = tensor.name.removesuffix("_quantized")
    grid = None if scale is None else _grid(shape, scale, axis, block)
    one = Quantised(
        tensor.name, stem, row, tensor.kind, tensor, scale if grid else None, None, shape,
        grid or Grid(rows, shape[-1], 1, 1, 1, True, "unknown"), scale.kind if scale is not None else "f32",
    )  # fmt: skip
    if scale is None:
        one.find("scale-missing", "its scale is computed in the graph, and is no initialiser")
    elif grid is None:
        one.find("shape", f"{scale.name} has the shape {scale.shape} for elements {shape}, axis {axis}")
    return one


def _grid(shape: tuple[int, ...], scale: Stored, axis: int, block: int) -> Grid | None:
    if scale.size == 1:
        return grid_of(shape, (1,), ("tensor",))
    rows, columns = (shape[-2], shape[-1]) if len(shape) > 1 else (1, shape[-1])
    axis = axis % max(len(shape), 1)
    if block:
        grain = f"1x{block}" if axis == len(shape) - 1 else f"{block}x1"
        return grid_of(shape, scale.shape, (grain,))
    if len(shape) == 2 and scale.size == shape[axis]:
        return (
            Grid(1, columns, rows, 1, 1, False, "row") if axis == 0 else Grid(rows, 1, 1, columns, 1, False, "column")
        )
    return None
