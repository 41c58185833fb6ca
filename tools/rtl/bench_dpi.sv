// A design beside the C golden model, called through DPI-C: every pair of codes, or every upper half of a binary32 code
// with the lower halves that decide a rounding.  BINARY is defined for the multiplier.
module bench #(
    parameter int SATURATE = 1,
    parameter int BUG = 0
);
  import fp8ref_model_pkg::*;

  logic [7:0] z;
  logic [4:0] flags;
  byte unsigned wanted;
  int raised;
  int cases = 0;
  int wrong = 0;

`ifdef BINARY
  logic [7:0] a, b;
  mul_e4m3fn #(.SATURATE(SATURATE), .BUG(BUG)) dut (.*);
`else
  logic [31:0] a;
  f32_to_e4m3fn #(.SATURATE(SATURATE), .BUG(BUG)) dut (.*);
  localparam logic [15:0] LOWER[4] = '{16'h0000, 16'h0001, 16'h8000, 16'hFFFF};
`endif

  task automatic compare();
    #1;
`ifdef BINARY
    raised = fp8ref_e4m3fn_mul(a, b, RNE, SATURATE != 0 ? SAT : NONSAT, AFTER, wanted);
`else
    raised = fp8ref_f32_to_e4m3fn(a, RNE, SATURATE != 0 ? SAT : NONSAT, AFTER, wanted);
`endif
    cases++;
    if (z != wanted || {27'b0, flags} != raised) begin
      wrong++;
`ifdef BINARY
      if (wrong <= 5) $display("%h %h gives %h flags %h; the model %h %h", a, b, z, flags, wanted, raised[4:0]);
`else
      if (wrong <= 5) $display("%h gives %h flags %h; the model %h %h", a, z, flags, wanted, raised[4:0]);
`endif
    end
  endtask

  initial begin
`ifdef BINARY
    for (int i = 0; i < 65536; i++) begin
      {a, b} = i[15:0];
      compare();
    end
`else
    for (int i = 0; i < 65536; i++)
      for (int j = 0; j < 4; j++) begin
        a = {i[15:0], LOWER[j]};
        compare();
      end
`endif
    $display("%0d of %0d cases differ", wrong, cases);
    if (wrong != 0) $fatal(1, "does not conform");
    $finish;
  end
endmodule
