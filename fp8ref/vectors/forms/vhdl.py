"""A VHDL package for words: how many, how wide, and a function that takes a line of a file apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..section import Section

Places = Sequence[tuple[str, int, int]]  # a field's name, its highest and its lowest bit

BODY = """  function bits(text : string) return std_logic_vector is
    variable found : std_logic_vector(4 * text'length - 1 downto 0);
    variable code : natural;
  begin
    for i in 1 to text'length loop
      code := character'pos(text(text'low + i - 1));
      if code > character'pos('9') then code := code - character'pos('A') + 10;
      else code := code - character'pos('0'); end if;
      for j in 0 to 3 loop
        if (code / 2 ** j) mod 2 = 1 then found(found'high - 4 * i + 1 + j) := '1';
        else found(found'high - 4 * i + 1 + j) := '0'; end if;
      end loop;
    end loop;
    return found;
  end function;"""


def package_of(path: Path) -> Path:
    """The file of the package, named as it is.

    >>> package_of(Path("2x__b.memh")).name
    'p2x_b_pkg.vhd'
    """
    stem = re.sub("[^0-9A-Za-z]+", "_", path.stem).strip("_")
    return path.with_name(f"{'' if stem[:1].isalpha() else 'p'}{stem}_pkg.vhd")


def package(section: Section, path: Path, fields: Places) -> str:
    """The package of a file of words, for VHDL-93 and later; element 0 of a field is leftmost."""
    name = package_of(path).stem
    width = fields[0][1] + 1
    lines = [
        f"-- The words of {path.name}: {section.operation.id}",
        "library ieee;",
        "use ieee.std_logic_1164.all;",
        "",
        f"package {name} is",
        f'  constant WORDS : string := "{path.name}";',
        f"  constant COUNT : natural := {section.count};",
        f"  constant DIGITS : positive := {width // 4};  -- of a line",
        "  type case_t is record",
        *(f"    {name} : std_logic_vector({msb - lsb} downto 0);" for name, msb, lsb in fields),
        "  end record;",
        "  function bits(text : string) return std_logic_vector;  -- of upper-case hexadecimal digits",
        "  function to_case(text : string) return case_t;",
        "end package;",
        "",
        f"package body {name} is",
        BODY,
        "",
        "  function to_case(text : string) return case_t is",
        f"    constant word : std_logic_vector({width - 1} downto 0) := bits(text);",
        "  begin",
        "    return (",
        ",\n".join(f"      {name} => word({msb} downto {lsb})" for name, msb, lsb in fields) + ");",
        "  end function;",
        "end package body;",
        "",
    ]
    return "\n".join(lines)
