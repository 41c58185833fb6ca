// Product of two OCP E4M3 numbers, roundTiesToEven, tininess after rounding.
//
// SATURATE: an overflow becomes the largest value of its sign, else NaN.
// BUG: 0 none, 1 ties go away from zero, 2 the sticky bit is lost.
module mul_e4m3fn #(
    parameter int SATURATE = 1,
    parameter int BUG = 0
) (
    input  logic [7:0] a,
    input  logic [7:0] b,
    output logic [7:0] z,
    output logic [4:0] flags  // NV DZ OF UF NX
);
  wire sign = a[7] ^ b[7];
  wire nan = &a[6:0] | &b[6:0];
  wire zero = ~|a[6:0] | ~|b[6:0];
  wire [3:0] significand_a = {|a[6:3], a[2:0]};
  wire [3:0] significand_b = {|b[6:3], b[2:0]};
  wire [4:0] exponent_a = |a[6:3] ? {1'b0, a[6:3]} : 5'd1;
  wire [4:0] exponent_b = |b[6:3] ? {1'b0, b[6:3]} : 5'd1;

  wire [7:0] product = {4'b0, significand_a} * {4'b0, significand_b};
  wire [2:0] zeros = product[7] ? 3'd0 : product[6] ? 3'd1 : product[5] ? 3'd2 : product[4] ? 3'd3
                   : product[3] ? 3'd4 : product[2] ? 3'd5 : product[1] ? 3'd6 : 3'd7;
  wire [7:0] normal = product << zeros;

  // of the result, biased by 7; 0 and less among its subnormals, which lose one bit more for every binade
  wire signed [6:0] exponent =
      $signed({2'b00, exponent_a}) + $signed({2'b00, exponent_b}) - 7'sd6 - $signed({4'b0, zeros});
  wire [3:0] shift = exponent >= 1 ? 4'd0 : 4'(7'sd1 - exponent);
  wire [23:0] shifted = {normal, 16'b0} >> shift;
  wire [3:0] kept = shifted[23:20];
  wire guard = shifted[19];
  wire below = |shifted[18:0];
  wire sticky = BUG == 2 ? 1'b0 : below;
  wire up = BUG == 1 ? guard : guard & (sticky | kept[0]);
  wire inexact = guard | below;

  // the implicit bit is the step from exponent field 0 to 1, and a carry steps on by itself
  wire [8:0] code = (exponent >= 1 ? {exponent[5:0] - 6'd1, 3'b000} : 9'd0) + {5'b0, kept} + {8'b0, up};
  wire overflow = code > 9'h7E;
  wire tiny = exponent < 1 && !(exponent == 0 && &normal[7:3]);

  wire [7:0] extreme = SATURATE != 0 ? {sign, 7'h7E} : 8'h7F;
  assign z = nan ? 8'h7F : zero ? {sign, 7'h00} : overflow ? extreme : {sign, code[6:0]};
  assign flags = nan || zero ? 5'b00000 : overflow ? 5'b00101 : {3'b000, inexact & tiny, inexact};
endmodule
