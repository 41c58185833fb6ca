// The designs beside the C golden model, called through DPI-C.
//
// +mul chooses the multiplier, with every pair of codes; else the converter, with every upper half of a binary32 code
// and the lower halves that decide a rounding.  +saturate=0 and +bug=1, +bug=2 choose the variant.
module bench;
  import fp8ref_model_pkg::*;
  localparam logic [15:0] LOWER[4] = '{16'h0000, 16'h0001, 16'h8000, 16'hFFFF};

  logic [31:0] a;
  logic [7:0] b;
  logic [12:0] converted[2][3], multiplied[2][3];  // {result, flags} of every variant
  for (genvar s = 0; s < 2; s++)
    for (genvar g = 0; g < 3; g++) begin : variant
      f32_to_e4m3fn #(.SATURATE(s), .BUG(g)) converter (
          .a(a), .z(converted[s][g][12:5]), .flags(converted[s][g][4:0]));
      mul_e4m3fn #(.SATURATE(s), .BUG(g)) multiplier (
          .a(a[7:0]), .b(b), .z(multiplied[s][g][12:5]), .flags(multiplied[s][g][4:0]));
    end

  int saturate = 1, bug = 0, cases = 0, wrong = 0;

  task automatic convert(input logic [31:0] x);
    byte unsigned z;
    int flags;
    a = x;
    #1;
    flags = fp8ref_f32_to_e4m3fn(a, RNE, saturate != 0 ? SAT : NONSAT, AFTER, z);
    count(converted[saturate][bug], z, flags, $sformatf("%h", a));
  endtask

  task automatic multiply(input logic [7:0] x, input logic [7:0] y);
    byte unsigned z;
    int flags;
    a = {24'b0, x};
    b = y;
    #1;
    flags = fp8ref_e4m3fn_mul(x, y, RNE, saturate != 0 ? SAT : NONSAT, AFTER, z);
    count(multiplied[saturate][bug], z, flags, $sformatf("%h %h", x, y));
  endtask

  task automatic count(input logic [12:0] got, input byte unsigned z, input int flags, input string operands);
    cases++;
    if (got != {z, flags[4:0]}) begin
      wrong++;
      if (wrong <= 5)
        $display("%s gives %h flags %h, not %h %h", operands, got[12:5], {3'b0, got[4:0]}, z, flags[7:0]);
    end
  endtask

  initial begin
    void'($value$plusargs("saturate=%d", saturate));
    void'($value$plusargs("bug=%d", bug));
    for (int i = 0; i < 65536; i++)
      if ($test$plusargs("mul") != 0) multiply(i[15:8], i[7:0]);
      else for (int j = 0; j < 4; j++) convert({i[15:0], LOWER[j]});
    $display("%0d of %0d cases differ", wrong, cases);
    if (wrong != 0) $fatal(1, "does not conform");
    $finish;
  end
endmodule
