// The unit against the words of a file, in the mode of +rm.
module bench;
  import vectors_pkg::*;
  parameter int BUG = 0;

  logic [WORD_BITS-1:0] words[0:COUNT-1];
  case_t wanted;
  logic [15:0] z;
  logic [4:0] flags;
  logic [2:0] rm;
  integer wrong = 0;

  exsdotp #(.BUG(BUG)) dut (.a(wanted.a), .b(wanted.b), .c(wanted.c), .rm(rm), .z(z), .flags(flags));

  initial begin
    if ($value$plusargs("rm=%d", rm) == 0) $fatal(1, "say +rm=0 to 4");
    $readmemh(FILE, words);
    for (int i = 0; i < COUNT; i++) begin
      wanted = words[i];
      #1;
      if ({z, 3'b000, flags} !== {wanted.z, wanted.x}) begin
        wrong = wrong + 1;
        if (wrong <= 3) $display("%s:%0d: %h gives %h flags %h", FILE, i + 1, words[i], z, {3'b000, flags});
      end
    end
    $display("%0d of %0d cases differ", wrong, COUNT);
    $finish;
  end
endmodule
