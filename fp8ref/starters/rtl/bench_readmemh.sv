// A design against the words of a file: DESIGN is its name, BINARY is defined where it has two operands.
module bench;
  import vectors_pkg::*;
  parameter int SATURATE = 1;
  parameter int BUG = 0;

  logic [WORD_BITS-1:0] words[0:COUNT-1];
  case_t wanted;
  logic [7:0] z;
  logic [4:0] flags;
  integer wrong = 0;

  `DESIGN #(
      .SATURATE(SATURATE),
      .BUG(BUG)
  ) dut (
      .a(wanted.a),
`ifdef BINARY
      .b(wanted.b),
`endif
      .z(z),
      .flags(flags)
  );

  initial begin
    $readmemh(FILE, words);
    for (int i = 0; i < COUNT; i++) begin
      wanted = words[i];
      #1;
      if ({z, 3'b000, flags} !== {wanted.z, wanted.x}) begin
        wrong = wrong + 1;
        if (wrong <= 5) 
          $display("%s:%0d: %h gives %h flags %h", FILE, i + 1, words[i], z, {3'b000, flags});
      end
    end
    $display("%0d of %0d cases differ", wrong, COUNT);
    if (wrong != 0) $fatal(1, "does not conform");
    $finish;
  end
endmodule
