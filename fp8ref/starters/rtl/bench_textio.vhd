-- A design against the words of a file, a case a line; run.py puts its name and its ports for @DESIGN@ and @PORTS@.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;
use work.vectors_pkg.all;

entity bench is
  generic (SATURATE : natural := 1; BUG : natural := 0);
end entity;

architecture textual of bench is
  signal wanted : case_t;
  signal z : std_logic_vector(7 downto 0);
  signal flags : std_logic_vector(4 downto 0);
begin
  dut : entity work.@DESIGN@
    generic map (SATURATE => SATURATE, BUG => BUG)
    port map (@PORTS@, z => z, flags => flags);

  process
    file cases : text open read_mode is WORDS;
    variable row, said : line;
    variable word : string(1 to DIGITS);
    variable wrong, done : natural := 0;
    variable now : case_t;
  begin
    while not endfile(cases) loop
      readline(cases, row);
      read(row, word);
      now := to_case(word);
      wanted <= now;
      wait for 1 ns;
      done := done + 1;
      if z /= now.z or "000" & flags /= now.x then
        wrong := wrong + 1;
        if wrong <= 5 then
          write(said, WORDS & ":" & integer'image(done) & ": " & word & " gives " & to_hstring(z) & " flags "
                      & to_hstring("000" & flags));
          writeline(output, said);
        end if;
      end if;
    end loop;
    write(said, integer'image(wrong) & " of " & integer'image(done) & " cases differ");
    writeline(output, said);
    wait;
  end process;
end architecture;
