-- Two products of OCP E5M2 numbers and C in binary16, exact and rounded once; the twin of exsdotp.sv, which says the rest.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity exsdotp is
  generic (BUG : natural := 0);
  port (
    a, b, c : in  std_logic_vector(15 downto 0);
    rm      : in  std_logic_vector(2 downto 0);
    z       : out std_logic_vector(15 downto 0);
    flags   : out std_logic_vector(4 downto 0));  -- NV DZ OF UF NX
end entity;

architecture exact of exsdotp is
  constant W : natural := 76;  -- of sums, in units of 2**-32
  subtype sum_t is signed(W - 1 downto 0);
  subtype byte is std_logic_vector(7 downto 0);
  subtype half_t is std_logic_vector(15 downto 0);
  subtype answer_t is std_logic_vector(20 downto 0);  -- flags and code

  function field(e : std_logic_vector) return natural is
    constant n : natural := to_integer(unsigned(e));
  begin
    if n = 0 then return 1; end if;
    return n;
  end function;

  function hidden(e : std_logic_vector) return natural is
  begin
    if unsigned(e) = 0 then return 0; end if;
    return 1;
  end function;

  function is_nan(x : byte) return boolean is
  begin
    return x(6 downto 2) = "11111" and x(1 downto 0) /= "00";
  end function;

  function is_infinite(x : byte) return boolean is
  begin
    return x(6 downto 0) = "1111100";
  end function;

  function is_zero(x : byte) return boolean is
  begin
    return x(6 downto 0) = "0000000";
  end function;

  function product(x, y : byte) return sum_t is
    variable found : sum_t;
    constant sx : natural := 4 * hidden(x(6 downto 2)) + to_integer(unsigned(x(1 downto 0)));
    constant sy : natural := 4 * hidden(y(6 downto 2)) + to_integer(unsigned(y(1 downto 0)));
  begin
    found := shift_left(to_signed(sx * sy, W), field(x(6 downto 2)) + field(y(6 downto 2)) - 2);
    if (x(7) xor y(7)) = '1' then return -found; end if;
    return found;
  end function;

  function value(x : half_t) return sum_t is
    constant s : natural := 1024 * hidden(x(14 downto 10)) + to_integer(unsigned(x(9 downto 0)));
    constant found : sum_t := shift_left(to_signed(s, W), field(x(14 downto 10)) + 7);
  begin
    if x(15) = '1' then return -found; end if;
    return found;
  end function;

  function away(mode : natural; odd, guard, sticky, negative : boolean) return boolean is
  begin
    case mode is
      when 0 => return guard and (sticky or odd);
      when 2 => return negative and (guard or sticky);
      when 3 => return not negative and (guard or (sticky and BUG /= 3));
      when 4 => return guard;
      when others => return false;
    end case;
  end function;

  function bit_of(x : boolean) return std_logic is
  begin
    if x then return '1'; end if;
    return '0';
  end function;

  function any_below(x : unsigned; place : natural) return boolean is
  begin
    for i in 0 to W - 1 loop
      if i < place and x(i) = '1' then return true; end if;
    end loop;
    return false;
  end function;

  function rounded(sum : sum_t; mode : natural) return answer_t is
    constant negative : boolean := sum(W - 1) = '1';
    variable magnitude : unsigned(W - 1 downto 0);
    variable lead, shift : natural := 0;
    variable code : unsigned(19 downto 0);
    variable own : unsigned(10 downto 0);
    variable guard, sticky, tiny, stays : boolean;
  begin
    if negative then magnitude := unsigned(-sum); else magnitude := unsigned(sum); end if;
    for i in 0 to W - 1 loop
      if magnitude(i) = '1' then lead := i; end if;
    end loop;
    shift := 8;
    if lead >= 18 then shift := lead - 10; end if;
    guard := magnitude(shift - 1) = '1';
    sticky := any_below(magnitude, shift - 1);
    code := resize(shift_right(magnitude, shift), 20);
    if away(mode, code(0) = '1', guard, sticky, negative) then
      code := code + 1;
    end if;
    if lead >= 18 then code := code + shift_left(to_unsigned(lead - 18, 20), 10); end if;
    own := resize(shift_right(magnitude, 7), 11);
    tiny := lead < 18 and not (lead = 17 and own = 2047
            and away(mode, own(0) = '1', magnitude(6) = '1', any_below(magnitude, 6), negative));
    if code > 16#7BFF# then
      stays := mode = 1 or (negative and mode = 3) or (not negative and mode = 2);
      if stays then return "00101" & bit_of(negative) & "111101111111111"; end if;
      return "00101" & bit_of(negative) & "111110000000000";
    end if;
    return "000" & bit_of((guard or sticky) and tiny and (BUG /= 4 or mode /= 2)) & bit_of(guard or sticky)
           & bit_of(negative) & std_logic_vector(code(14 downto 0));
  end function;

begin
  process (all)
    variable x, y : byte;
    variable zero, nan_lane, infinite, gate : boolean;
    variable nan, undefined, plus, minus, signals, all_zero, some_plus, some_minus, opposite, again, gone : boolean;
    variable products, sum : sum_t;
    variable first, found : answer_t;
    variable mode : natural;
    variable negative : boolean;
    variable nv : std_logic;
  begin
    mode := to_integer(unsigned(rm));
    products := (others => '0');
    nan := false; undefined := false; plus := false; minus := false; signals := false;
    all_zero := true; some_plus := false; some_minus := false;
    for lane in 0 to 1 loop
      x := a(15 - 8 * lane downto 8 - 8 * lane);
      y := b(15 - 8 * lane downto 8 - 8 * lane);
      if BUG = 5 then y := b(7 + 8 * lane downto 8 * lane); end if;
      zero := is_zero(x) or is_zero(y);
      gate := BUG = 1 and zero;
      nan_lane := (is_nan(x) or is_nan(y)) and not gate;
      infinite := (is_infinite(x) or is_infinite(y)) and not gate;
      negative := (x(7) xor y(7)) = '1';
      signals := signals or (not gate and ((is_nan(x) and x(1) = '0') or (is_nan(y) and y(1) = '0')));
      nan := nan or nan_lane;
      undefined := undefined or (infinite and zero and not nan_lane);
      plus := plus or (infinite and not zero and not negative);
      minus := minus or (infinite and not zero and negative);
      all_zero := all_zero and zero;
      some_plus := some_plus or not negative;
      some_minus := some_minus or negative;
      if not zero then products := products + product(x, y); end if;
    end loop;
    if c(14 downto 10) = "11111" then
      if unsigned(c(9 downto 0)) = 0 then
        plus := plus or c(15) = '0';
        minus := minus or c(15) = '1';
      else
        nan := true;
        signals := signals or c(9) = '0';
      end if;
    end if;
    all_zero := all_zero and unsigned(c(14 downto 0)) = 0;
    some_plus := some_plus or c(15) = '0';
    some_minus := some_minus or c(15) = '1';
    opposite := plus and minus and not nan and not undefined;
    nv := bit_of(undefined or opposite or signals);
    first := rounded(products, mode);
    again := BUG = 2 and products /= 0;
    if again then sum := value(first(15 downto 0)) + value(c); else sum := products + value(c); end if;
    found := rounded(sum, mode);
    if nan or undefined or opposite then
      found := nv & "0000" & x"7E00";
    elsif plus or minus then
      found := nv & "0000" & bit_of(minus) & "111110000000000";
    elsif again and first(14 downto 10) = "11111" then
      found := first;
    elsif sum = 0 then
      gone := again and unsigned(first(14 downto 0)) = 0 and unsigned(c(14 downto 0)) = 0 and first(15) = c(15);
      negative := (all_zero and not some_plus) or (mode = 2 and not (all_zero and not some_minus));
      if gone then negative := c(15) = '1'; end if;
      found := "00000" & bit_of(negative) & "000000000000000";
      if again then found(20 downto 16) := first(20 downto 16); end if;
    elsif again then
      found(20 downto 16) := found(20 downto 16) or first(20 downto 16);
    end if;
    flags <= found(20 downto 16);
    z <= found(15 downto 0);
  end process;
end architecture;
