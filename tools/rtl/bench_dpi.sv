// The unit beside the C golden model, called through DPI-C: random operands, most of them of few kinds, in every mode.
module bench;
  import fp8ref_model_pkg::*;
  parameter int BUG = 0;

  logic [15:0] a, b, c, z;
  logic [4:0] flags;
  logic [2:0] rm;
  int wrong = 0, cases = 0, count = 20000;
  shortint unsigned wanted;
  int raised;

  exsdotp #(.BUG(BUG)) dut (.a(a), .b(b), .c(c), .rm(rm), .z(z), .flags(flags));

  // zeros, infinities, NaNs and the ends of the range, as often as all others
  function automatic logic [7:0] operand();
    logic [7:0] x = 8'($urandom);
    case ($urandom_range(9))
      0: x[6:0] = 7'h00;
      1: x[6:0] = 7'h7C;
      2: x[6:2] = 5'h1F;
      3: x[6:2] = 5'h00;
      4: x[6:0] = 7'h7B;
      default: ;
    endcase
    return x;
  endfunction

  function automatic logic [15:0] addend();
    logic [15:0] x = 16'($urandom);
    case ($urandom_range(9))
      0: x[14:0] = 15'h0;
      1: x[14:10] = 5'h0;
      2: x[14:0] = 15'h7C00;
      3: x[14:10] = 5'h1F;
      4: x[14:0] = 15'h7BFF;
      default: ;
    endcase
    return x;
  endfunction

  initial begin
    void'($value$plusargs("count=%d", count));
    for (int mode = 0; mode < 5; mode++) begin
      wrong = 0;
      rm = 3'(mode);
      for (int i = 0; i < count; i++) begin
        a = {operand(), operand()};
        b = {operand(), operand()};
        c = addend();
        #1;
        raised = fp8ref_e5m2_dot_f16(2, {496'b0, a[7:0], a[15:8]}, {496'b0, b[7:0], b[15:8]}, c, mode, NONSAT, AFTER, 0, wanted);
        if (z != wanted || {27'b0, flags} != raised) begin
          wrong++;
          if (wrong <= 3)
            $display("%h %h %h gives %h flags %h, not %h %h", a, b, c, z, {3'b0, flags}, wanted, raised[7:0]);
        end
      end
      $display("rm=%0d %0d of %0d cases differ", mode, wrong, count);
    end
    $finish;
  end
endmodule
