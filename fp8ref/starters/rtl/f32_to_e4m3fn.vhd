-- binary32 to OCP E4M3, roundTiesToEven, tininess after rounding.
--
-- SATURATE: an overflow and an infinity become the largest value of their sign, else NaN.
-- BUG: 0 none, 1 ties go away from zero, 2 the sticky bit is lost.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity f32_to_e4m3fn is
  generic (SATURATE : natural := 1; BUG : natural := 0);
  port (
    a     : in  std_logic_vector(31 downto 0);
    z     : out std_logic_vector(7 downto 0);
    flags : out std_logic_vector(4 downto 0));  -- NV DZ OF UF NX
end entity;

architecture rtl of f32_to_e4m3fn is
begin
  process (a)
    variable exponent, drop, code : integer;
    variable wide, kept : unsigned(47 downto 0);
    variable guard, below, sticky, up, tiny, inexact, infinite : boolean;
    variable extreme : std_logic_vector(7 downto 0);
  begin
    if SATURATE /= 0 then extreme := a(31) & "1111110"; else extreme := x"7F"; end if;
    infinite := a(30 downto 23) = "11111111" and unsigned(a(22 downto 0)) = 0;
    -- of the result, biased by 7; 0 and less among its subnormals, which lose one bit more for every binade
    exponent := to_integer(unsigned(a(30 downto 23))) - 120;
    wide := (others => '0');
    if unsigned(a(30 downto 23)) /= 0 then wide(47) := '1'; end if;
    wide(46 downto 24) := unsigned(a(22 downto 0));
    drop := 0;
    if exponent < 1 then drop := 1 - exponent; end if;
    if drop > 22 then drop := 22; end if;
    kept := shift_right(wide, drop);
    guard := kept(43) = '1';
    below := kept(42 downto 0) /= 0;
    sticky := below and BUG /= 2;
    if BUG = 1 then up := guard; else up := guard and (sticky or kept(44) = '1'); end if;
    inexact := guard or below;
    tiny := exponent < 1 and not (exponent = 0 and wide(47 downto 43) = "11111");
    code := to_integer(kept(47 downto 44));
    if exponent >= 1 then code := code + 8 * (exponent - 1); end if;
    if up then code := code + 1; end if;

    flags <= "00000";
    if a(30 downto 23) = "11111111" and not infinite then
      z <= x"7F";
      flags(4) <= not a(22);
    elsif infinite then
      z <= extreme;
    elsif code > 16#7E# then
      z <= extreme;
      flags <= "00101";
    else
      z <= a(31) & std_logic_vector(to_unsigned(code, 7));
      if inexact then flags(0) <= '1'; end if;
      if inexact and tiny then flags(1) <= '1'; end if;
    end if;
  end process;
end architecture;
