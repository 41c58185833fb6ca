"""What an audit can find, as data: how grave it is, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..escapes import one_line

FAULT, WARNING, NOTE = "fault", "warning", "note"
LAYOUT = "the convention's own description of its tensors"
READERS = "what readers compute from these bytes"
ROUNDING = "OCP MX 1.0 6.3 and every recipe in use: elements are rounded to nearest"


@dataclass(frozen=True)
class Kind:
    """``severity``: fault, warning or note.  ``about``: what it means.  ``source``: why it is that grave."""

    severity: str
    about: str
    source: str


KINDS: dict[str, Kind] = {
    # -- what a file says
    "scale-missing": Kind(FAULT, "codes without the scale that they need", "unsloth 6200; miles PR 1640"),
    "scale-orphaned": Kind(FAULT, "a scale without codes", LAYOUT),
    "scale-nan": Kind(FAULT, "a scale is NaN", READERS),
    "scale-infinite": Kind(FAULT, "a scale is infinite", READERS),
    "scale-negative": Kind(FAULT, "a scale is negative", "scales are magnitudes in every recipe in use"),
    "scale-zero": Kind(FAULT, "a scale is 0 over codes that are not", READERS),
    "codes-nan": Kind(FAULT, "codes are NaN", READERS),
    "shape": Kind(FAULT, "shapes contradict each other", LAYOUT),
    "scale-dtype": Kind(FAULT, "scales are of another type than the convention or the config says", LAYOUT),
    "scale-power": Kind(FAULT, "scales are no powers of two, and the config promises that", "scale_fmt ue8m0"),
    "config": Kind(FAULT, "the config contradicts the tensors", LAYOUT),
    "format": Kind(FAULT, "codes are of another format than declared", "vllm PR 7210; sglang PR 35111"),
    "global-scale": Kind(FAULT, "the tensor's scale is not what its convention allows", "sglang PR 29151"),
    "unit-scale": Kind(FAULT, "a scale of 1 over codes that need another", "sglang 39942"),
    "scale-inverted": Kind(FAULT, "scales are the reciprocals of what they should be", "modular 6600; vllm PR 41769"),
    "scale-transposed": Kind(FAULT, "the grid of scales is transposed", "vllm PR 47116, 50349; pytorch PR 195751"),
    # -- what the original decides
    "scale-exchanged": Kind(FAULT, "scales stand at the place of others", "vllm PR 47116"),
    "scale-swizzled": Kind(FAULT, "scales lie in another layout than declared", "modular 6600"),
    "scale-stale": Kind(FAULT, "codes were made with another scale than the stored one", "transformers PR 46763"),
    "nibbles": Kind(FAULT, "the two codes of a byte are exchanged", "triton PR 5197; ao 2939; comfy-kitchen PR 41"),
    "bias": Kind(FAULT, "codes are of the FNUZ form, or not, against what is declared", "vllm PR 7210, 31713"),
    "truncated": Kind(FAULT, "codes are truncated, not rounded", ROUNDING),
    "ties-away": Kind(FAULT, "ties go away from zero", "OCP MX 1.0 6.3: roundTiesToEven"),
    "codes-single": Kind(FAULT, "single codes break an otherwise complete rounding", ROUNDING),
    "signs": Kind(FAULT, "signs of codes are not those of the original", ROUNDING),
    "codes-other": Kind(FAULT, "the codes are those of another tensor", "a recipe keeps most of the original"),
    # -- worth knowing
    "scale-searched": Kind(NOTE, "scales by no recipe in use, codes complete: searched", "llm-compressor MSE"),
    "codes-learned": Kind(NOTE, "codes at most one step off: a learned rounding", "auto-round; AdaRound"),
    "codes-compensated": Kind(NOTE, "codes follow the original with larger steps: GPTQ or the like", "GPTQ"),
    "codes-arithmetic": Kind(NOTE, "codes near ties follow an unknown arithmetic", "bf16 quotients round twice"),
    "source-rounded": Kind(NOTE, "the original was rounded to a narrower type first", "compressed-tensors, ModelOpt"),
    "arithmetic-bf16": Kind(NOTE, "quotients were rounded to bfloat16 before they became codes", "compressed-tensors"),
    "ties-to-zero": Kind(NOTE, "ties go toward zero", "ModelOpt MXFP4; DeepGEMM FP4"),
    "global-unequal": Kind(NOTE, "layers that kernels fuse have unequal scales of the tensor", "vllm PR 47515"),
    "saturated": Kind(NOTE, "many codes are the largest", READERS),
    "range-unused": Kind(NOTE, "no code comes near the top of the format", "amax recipes bring a code there"),
    "codes-unrelated": Kind(WARNING, "the codes keep nothing of this original", "rotated, permuted or tuned weights"),
    "spelling": Kind(WARNING, "a scale under another name than the convention's", "stable-diffusion.cpp PR 1898"),
    "leftover": Kind(WARNING, "a tensor that nothing refers to", LAYOUT),
    "duplicate": Kind(WARNING, "two tensors hold the same codes", LAYOUT),
    "unscaled": Kind(NOTE, "FP8 without scales: values are the codes themselves", "miles PR 1640"),
    "code-book": Kind(NOTE, "codes of a code book that is named and not judged", "GPTQ, AWQ, NF4, int8"),
    "no-original": Kind(NOTE, "the original file has no tensor for these codes", "names and shapes of both files"),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing found.  ``kind``: a name of :data:`KINDS`.  ``at``: the tensor and the place in it."""

    kind: str
    text: str
    at: str = ""

    @property
    def severity(self) -> str:
        return KINDS[self.kind].severity

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "severity": self.severity,
            "text": one_line(self.text, 2000),
            "at": one_line(self.at),
        }


def faults(findings: Iterable[Finding]) -> list[Finding]:
    return [f for f in findings if f.severity == FAULT]
