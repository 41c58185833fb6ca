// The unit beside the C golden model, called through DPI-C: random operands, many of them special, in every mode.
//
// +bug=0 to 5 chooses the unit.  What it answers goes into files of +answers and .0 to .4 for the mode, a line a case
// in TestFloat's form: a0 b0 a1 b1 c z flags.
module bench;
  import fp8ref_model_pkg::*;

  logic [15:0] a, b, c;
  logic [2:0] rm;
  logic [20:0] found[6];  // {flags, z} of every unit
  int wrong, count = 20000, bug = 0, answers;
  string name = "answers";
  shortint unsigned wanted;
  int raised;

  for (genvar g = 0; g < 6; g++) begin : unit
    exsdotp #(.BUG(g)) dut (.a(a), .b(b), .c(c), .rm(rm), .z(found[g][15:0]), .flags(found[g][20:16]));
  end

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
    void'($value$plusargs("bug=%d", bug));
    void'($value$plusargs("answers=%s", name));
    for (int mode = 0; mode < 5; mode++) begin
      answers = $fopen($sformatf("%s.%0d", name, mode), "w");
      wrong = 0;
      rm = 3'(mode);
      for (int i = 0; i < count; i++) begin
        a = {operand(), operand()};
        b = {operand(), operand()};
        c = addend();
        #1;
        raised = fp8ref_e5m2_dot_f16(2, {496'b0, a[7:0], a[15:8]}, {496'b0, b[7:0], b[15:8]}, c, mode, NONSAT, AFTER, 0,
                                     wanted);
        if (found[bug] != {raised[4:0], wanted}) wrong++;
        $fdisplay(answers, "%h %h %h %h %h %h %h", a[15:8], b[15:8], a[7:0], b[7:0], c, found[bug][15:0],
                  {3'b000, found[bug][20:16]});
      end
      $fclose(answers);
      $display("rm=%0d %0d of %0d cases differ", mode, wrong, count);
    end
    $finish;
  end
endmodule
