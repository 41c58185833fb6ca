-- Product of two OCP E4M3 numbers, roundTiesToEven, tininess after rounding.
--
-- SATURATE: an overflow becomes the largest value of its sign, else NaN.
-- BUG: 0 none, 1 ties go away from zero, 2 the sticky bit is lost.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity mul_e4m3fn is
  generic (SATURATE : natural := 1; BUG : natural := 0);
  port (
    a, b  : in  std_logic_vector(7 downto 0);
    z     : out std_logic_vector(7 downto 0);
    flags : out std_logic_vector(4 downto 0));  -- NV DZ OF UF NX
end entity;

architecture rtl of mul_e4m3fn is
begin
  process (a, b)
    variable sign : std_logic;
    variable product, exponent_a, exponent_b, exponent, drop, code : integer;
    variable wide, kept : unsigned(23 downto 0);
    variable guard, below, sticky, up, tiny, inexact, near_one : boolean;

    function significand(x : std_logic_vector(7 downto 0)) return natural is
    begin
      if unsigned(x(6 downto 3)) = 0 then return to_integer(unsigned(x(2 downto 0))); end if;
      return 8 + to_integer(unsigned(x(2 downto 0)));
    end function;

    function exponent_of(x : std_logic_vector(7 downto 0)) return natural is
    begin
      if unsigned(x(6 downto 3)) = 0 then return 1; end if;
      return to_integer(unsigned(x(6 downto 3)));
    end function;
  begin
    sign := a(7) xor b(7);
    product := significand(a) * significand(b);
    if a(6 downto 0) = "1111111" or b(6 downto 0) = "1111111" then
      z <= x"7F";
      flags <= "00000";
    elsif product = 0 then
      z <= sign & "0000000";
      flags <= "00000";
    else
      exponent_a := exponent_of(a);
      exponent_b := exponent_of(b);
      wide := shift_left(to_unsigned(product, 24), 16);  -- 1.xxx at bit 23 after this loop
      exponent := exponent_a + exponent_b - 6;
      for i in 0 to 7 loop
        if wide(23) = '0' then
          wide := shift_left(wide, 1);
          exponent := exponent - 1;
        end if;
      end loop;
      near_one := wide(23 downto 19) = "11111";
      drop := 0;
      if exponent < 1 then drop := 1 - exponent; end if;  -- subnormals lose one bit more for every binade
      if drop > 15 then drop := 15; end if;
      kept := shift_right(wide, drop);
      guard := kept(19) = '1';
      below := kept(18 downto 0) /= 0 or shift_left(kept, drop) /= wide;
      sticky := below and BUG /= 2;
      if BUG = 1 then up := guard; else up := guard and (sticky or kept(20) = '1'); end if;
      inexact := guard or below;
      tiny := exponent < 1 and not (exponent = 0 and near_one);
      code := to_integer(kept(23 downto 20));
      if exponent >= 1 then code := code + 8 * (exponent - 1); end if;
      if up then code := code + 1; end if;
      if code > 16#7E# then
        if SATURATE /= 0 then z <= sign & "1111110"; else z <= x"7F"; end if;
        flags <= "00101";
      else
        z <= sign & std_logic_vector(to_unsigned(code, 7));
        flags <= "00000";
        if inexact then flags(0) <= '1'; end if;
        if inexact and tiny then flags(1) <= '1'; end if;
      end if;
    end if;
  end process;
end architecture;
