// binary32 to OCP E4M3, roundTiesToEven, tininess after rounding.
//
// SATURATE: an overflow and an infinity become the largest value of their sign, else NaN.
// BUG: 0 none, 1 ties go away from zero, 2 the sticky bit is lost.
module f32_to_e4m3fn #(
    parameter int SATURATE = 1,
    parameter int BUG = 0
) (
    input  logic [31:0] a,
    output logic [ 7:0] z,
    output logic [ 4:0] flags  // NV DZ OF UF NX
);
  wire sign = a[31];
  wire [7:0] field = a[30:23];
  wire nan = &field & |a[22:0];
  wire infinite = &field & ~|a[22:0];
  wire [23:0] significand = {|field, a[22:0]};

  // of the result, biased by 7; 0 and less among its subnormals, which lose one bit more for every binade
  wire signed [9:0] exponent = $signed({2'b00, field}) - 10'sd120;
  wire [4:0] shift = exponent >= 1 ? 5'd0 : exponent < -10'sd20 ? 5'd22 : 5'(10'sd1 - exponent);
  wire [47:0] shifted = {significand, 24'b0} >> shift;
  wire [3:0] kept = shifted[47:44];
  wire guard = shifted[43];
  wire below = |shifted[42:0];
  wire sticky = BUG == 2 ? 1'b0 : below;
  wire up = BUG == 1 ? guard : guard & (sticky | kept[0]);
  wire inexact = guard | below;

  // the implicit bit is the step from exponent field 0 to 1, and a carry steps on by itself
  wire [9:0] code = (exponent >= 1 ? {exponent[6:0] - 7'd1, 3'b000} : 10'd0) + {6'b0, kept} + {9'b0, up};
  wire overflow = exponent > 16 || code > 10'h7E;
  wire tiny = exponent < 1 && !(exponent == 0 && &significand[23:19]);

  wire [7:0] extreme = SATURATE != 0 ? {sign, 7'h7E} : 8'h7F;
  assign z = nan ? 8'h7F : infinite || overflow ? extreme : {sign, code[6:0]};
  assign flags = nan ? {~a[22], 4'b0000}
               : infinite ? 5'b00000
               : overflow ? 5'b00101
               : {3'b000, inexact & tiny, inexact};
endmodule
