"""A small P3109 declaration, its files as text."""

from __future__ import annotations

from pathlib import Path

METADATA = """---
Metadata:
  conformance: IEEE SA P3109
  version: 4.0
  provider: Acme
  contact: {email: a@acme.example, uri: https://acme.example}
  implementation: {name: unit, version: 1.0.0, timestamp: 2026-01-30T20:13Z, uri: https://acme.example/unit}
"""
FILES = {
    "Configurations": """
Inference:
  IEEE754: binary32
  Projections:
    Rounding: [NearestTiesToEven, TowardZero]
    Saturation: [SatNone]
  KappaApproximate: [ExpFast]
""",
    "Profiles": """
Inference:
  formats:
    - (' "Binary4p$(i)se" for i in 1:2 ')
    - Binary8p3se
""",
    "Constraints": """
Inference:
  - "Add<fx, fy, fr, rho>(x, y) -> r":
      Requires:
        - [ (' fx == fy '), (' fy == fr ') ]
        - (' BitwidthOf(fr) < 8 and PrecisionOf(fx) > 1 ')
      Projections:
        - { RoundingMode: NearestTiesToEven, SaturationMode: SatNone }
        - { RoundingMode: TowardPositive, SaturationMode: SatFinite }
  - "IsOne<fx>(x) -> boolean":
      Requires:
        - (' fx in [Binary8p3se] ')
""",
    "Kappas": """
Inference:
  ExpFast:
    Approximates: "Exp<fx, fr, rho>(x) -> r"
    Requires:
      - ('fx == fr')
      - ('fx in [Binary8p3se]')
    Projections:
      RoundingMode: [NearestTiesToEven]
      SaturationMode: [SatNone]
    Kappas:
      - { interval: '[ -Inf, -11 )', kappa: 1 }
      - { interval: '[ -11, Inf ]', kappa: 0 }
""",
}


def write(folder: Path, **changed: str | None) -> Path:
    """The files in a folder; ``changed``: another body for one, or None for none."""
    folder.mkdir(exist_ok=True)
    for name, body in {**FILES, **changed}.items():
        if body is not None:
            (folder / f"{name}.yaml").write_text(METADATA + body, encoding="utf-8")
    return folder
