-- The VHDL unit against the words of a file, a line {a, b, c, z, flags} of 18 digits each.  What it answers goes into the
-- file ANSWERS, a line a case in TestFloat's form: a0 b0 a1 b1 c z flags.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench is
  generic (BUG : natural := 0; RM : natural := 0; WORDS : string := "vectors.memh";
           ANSWERS : string := "answers.txt");
end entity;

architecture textual of bench is
  signal a, b, c, z : std_logic_vector(15 downto 0) := (others => '0');
  signal rm_bits : std_logic_vector(2 downto 0);
  signal flags : std_logic_vector(4 downto 0);

  function digit(x : character) return natural is
  begin
    if x >= '0' and x <= '9' then return character'pos(x) - character'pos('0'); end if;
    return character'pos(x) - character'pos('A') + 10;
  end function;

  function bits(text : string) return std_logic_vector is
    variable found : std_logic_vector(4 * text'length - 1 downto 0);
    variable n : natural;
  begin
    for i in 0 to text'length - 1 loop
      n := digit(text(text'low + i));
      for j in 0 to 3 loop
        if (n / 2 ** j) mod 2 = 1 then found(found'high - 4 * i - 3 + j) := '1'; else found(found'high - 4 * i - 3 + j) := '0'; end if;
      end loop;
    end loop;
    return found;
  end function;
begin
  rm_bits <= "000" when RM = 0 else "001" when RM = 1 else "010" when RM = 2 else "011" when RM = 3 else "100";
  dut : entity work.exsdotp generic map (BUG => BUG) port map (a, b, c, rm_bits, z, flags);

  process
    file vectors : text open read_mode is WORDS;
    file found : text open write_mode is ANSWERS;
    variable row, said : line;
    variable word : string(1 to 18);
    variable wrong, cases : natural := 0;
    variable wanted : std_logic_vector(23 downto 0);
  begin
    while not endfile(vectors) loop
      readline(vectors, row);
      read(row, word);
      a <= bits(word(1 to 4));
      b <= bits(word(5 to 8));
      c <= bits(word(9 to 12));
      wanted := bits(word(13 to 18));
      wait for 1 ns;
      cases := cases + 1;
      if z & "000" & flags /= wanted then wrong := wrong + 1; end if;
      write(said, word(1 to 2) & " " & word(5 to 6) & " " & word(3 to 4) & " " & word(7 to 8) & " " & word(9 to 12)
                  & " " & to_hstring(z) & " " & to_hstring("000" & flags));
      writeline(found, said);
    end loop;
    write(said, integer'image(wrong) & " of " & integer'image(cases) & " cases differ");
    writeline(output, said);
    wait;
  end process;
end architecture;
