// The unit against the words of a file, in the mode of +rm; what it answers goes into the file of +answers, a line a
// case in TestFloat's form: a0 b0 a1 b1 c z flags.
module bench;
  import vectors_pkg::*;
  parameter int BUG = 0;

  logic [WORD_BITS-1:0] words[0:COUNT-1];
  case_t wanted;
  logic [15:0] z;
  logic [4:0] flags;
  logic [2:0] rm;
  integer wrong = 0, answers;
  reg [8*512-1:0] name;

  exsdotp #(.BUG(BUG)) dut (.a(wanted.a), .b(wanted.b), .c(wanted.c), .rm(rm), .z(z), .flags(flags));

  initial begin
    if ($value$plusargs("rm=%d", rm) == 0) $fatal(1, "say +rm=0 to 4");
    if ($value$plusargs("answers=%s", name) == 0) $fatal(1, "say +answers=FILE");
    answers = $fopen(name, "w");
    $readmemh(FILE, words);
    for (int i = 0; i < COUNT; i++) begin
      wanted = words[i];
      #1;
      if ({z, 3'b000, flags} !== {wanted.z, wanted.x}) wrong = wrong + 1;
      $fdisplay(answers, "%h %h %h %h %h %h %h", wanted.a[0], wanted.b[0], wanted.a[1], wanted.b[1], wanted.c, z,
                {3'b000, flags});
    end
    $display("%0d of %0d cases differ", wrong, COUNT);
    $finish;
  end
endmodule
