// Two products of OCP E5M2 numbers and C in binary16, exact and rounded once: a[0] b[0] + a[1] b[1] + c.
//
// rm is RISC-V's frm: 0 to nearest even, 1 toward zero, 2 down, 3 up, 4 to nearest, ties away.  Overflow as IEEE 754,
// tininess after rounding, NaN 7E00.  Lane 0 is the upper byte of a and b.
//
// BUG: 0 none, 1 a zero gates the NaN or infinity of its lane, 2 the products are rounded before C is added, 3 rounding
// up forgets the sticky bit, 4 rounding down raises no underflow, 5 the lanes of b are exchanged.
module exsdotp #(
    parameter int BUG = 0
) (
    input  logic [15:0] a,
    input  logic [15:0] b,
    input  logic [15:0] c,
    input  logic [ 2:0] rm,
    output logic [15:0] z,
    output logic [ 4:0] flags  // NV DZ OF UF NX
);
  localparam int W = 76;  // of sums, in units of 2^-32

  function automatic logic is_nan(input logic [7:0] x);
    return (&x[6:2]) & (|x[1:0]);
  endfunction

  function automatic logic is_infinite(input logic [7:0] x);
    return (&x[6:2]) & ~(|x[1:0]);
  endfunction

  function automatic logic is_zero(input logic [7:0] x);
    return ~(|x[6:0]);
  endfunction

  // a product of finite numbers; the smallest is 2^-32
  function automatic logic signed [W-1:0] product(input logic [7:0] x, input logic [7:0] y);
    logic [W-1:0] significand;
    logic [6:0] shift;
    significand = {{(W - 6) {1'b0}}, {3'b0, |x[6:2], x[1:0]} * {3'b0, |y[6:2], y[1:0]}};
    shift = {2'b0, |x[6:2] ? x[6:2] : 5'd1} + {2'b0, |y[6:2] ? y[6:2] : 5'd1} - 7'd2;
    significand = significand << shift;
    return (x[7] ^ y[7]) ? -$signed(significand) : $signed(significand);
  endfunction

  // a finite binary16; its smallest is 2^-24
  function automatic logic signed [W-1:0] half(input logic [15:0] x);
    logic [W-1:0] significand;
    significand = {{(W - 11) {1'b0}}, |x[14:10], x[9:0]} << ({1'b0, |x[14:10] ? x[14:10] : 5'd1} + 6'd7);
    return x[15] ? -$signed(significand) : $signed(significand);
  endfunction

  function automatic logic away(input logic [2:0] mode, input logic odd, input logic guard, input logic sticky,
                                input logic negative);
    case (mode)
      3'd0: return guard & (sticky | odd);
      3'd2: return negative & (guard | sticky);
      3'd3: return ~negative & (guard | (sticky & (BUG != 3)));
      3'd4: return guard;
      default: return 1'b0;
    endcase
  endfunction

  // {NV DZ OF UF NX, code} of a sum that is not zero
  function automatic logic [20:0] rounded(input logic signed [W-1:0] sum, input logic [2:0] mode);
    logic negative, guard, sticky, up, inexact, tiny, stays;
    logic [W-1:0] magnitude, below;
    logic [19:0] code;
    logic [10:0] own;
    int lead, shift;
    negative = sum[W-1];
    magnitude = negative ? $unsigned(-sum) : $unsigned(sum);
    lead = 0;
    for (int i = 0; i < W; i++) if (magnitude[i]) lead = i;
    shift = lead >= 18 ? lead - 10 : 8;
    below = magnitude & ~({W{1'b1}} << (shift - 1));
    guard = magnitude[shift-1];
    sticky = |below;
    code = 20'(magnitude >> shift);
    up = away(mode, code[0], guard, sticky, negative);
    if (lead >= 18) code = code + (20'(lead - 18) << 10);
    code = code + {19'b0, up};
    inexact = guard | sticky;
    own = 11'(magnitude >> 7);  // of the binade below 2^-14 rounded as if there were no subnormals
    tiny = lead < 18 && !(lead == 17 && (&own) && away(mode, own[0], magnitude[6], |magnitude[5:0], negative));
    if (code > 20'h7BFF) begin
      stays = mode == 3'd1 || mode == (negative ? 3'd3 : 3'd2);
      return {5'b00101, negative, stays ? 15'h7BFF : 15'h7C00};
    end
    return {3'b000, inexact & tiny & (BUG != 4 || mode != 3'd2), inexact, negative, code[14:0]};
  endfunction

  wire [7:0] a0 = a[15:8], a1 = a[7:0];
  wire [7:0] b0 = BUG == 5 ? b[7:0] : b[15:8], b1 = BUG == 5 ? b[15:8] : b[7:0];
  wire zero0 = is_zero(a0) | is_zero(b0), zero1 = is_zero(a1) | is_zero(b1);
  wire gate0 = BUG == 1 && zero0, gate1 = BUG == 1 && zero1;

  wire nan0 = (is_nan(a0) | is_nan(b0)) & ~gate0, nan1 = (is_nan(a1) | is_nan(b1)) & ~gate1;
  wire infinite0 = (is_infinite(a0) | is_infinite(b0)) & ~gate0;
  wire infinite1 = (is_infinite(a1) | is_infinite(b1)) & ~gate1;
  wire undefined = (infinite0 & zero0 & ~nan0) | (infinite1 & zero1 & ~nan1);
  wire signals = (((is_nan(a0) & ~a0[1]) | (is_nan(b0) & ~b0[1])) & ~gate0) |
                 (((is_nan(a1) & ~a1[1]) | (is_nan(b1) & ~b1[1])) & ~gate1) | (&c[14:10] & |c[8:0] & ~c[9]);
  wire nan_c = &c[14:10] & |c[9:0], infinite_c = &c[14:10] & ~(|c[9:0]);
  wire negative0 = a0[7] ^ b0[7], negative1 = a1[7] ^ b1[7];
  wire nan = nan0 | nan1 | nan_c;
  wire plus = (infinite0 & ~zero0 & ~negative0) | (infinite1 & ~zero1 & ~negative1) | (infinite_c & ~c[15]);
  wire minus = (infinite0 & ~zero0 & negative0) | (infinite1 & ~zero1 & negative1) | (infinite_c & c[15]);
  wire opposite = plus & minus & ~nan & ~undefined;
  wire invalid = undefined | opposite | signals;

  wire signed [W-1:0] products = (zero0 ? {W{1'b0}} : product(a0, b0)) + (zero1 ? {W{1'b0}} : product(a1, b1));
  wire [20:0] first = rounded(products, rm);
  wire again = BUG == 2 && |products;  // the products are rounded, and then the sum with C
  wire signed [W-1:0] sum = (again ? half(first[15:0]) : products) + half(c);
  wire [20:0] found = rounded(sum, rm);
  wire all_zero = zero0 & zero1 & ~(|c[14:0]);
  wire alike = (negative0 == negative1) & (negative0 == c[15]);
  wire gone = again & ~(|first[14:0]) & ~(|c[14:0]) & (first[15] == c[15]);
  wire zero_sign = (all_zero & alike) | gone ? c[15] : rm == 3'd2;
  wire lost = again && (&first[14:10]);
  wire [20:0] joined = found | {again ? first[20:16] : 5'b0, 16'b0};

  always_comb begin
    if (nan | undefined | opposite) {flags, z} = {invalid, 4'b0, 16'h7E00};
    else if (plus | minus) {flags, z} = {invalid, 4'b0, minus, 15'h7C00};
    else if (lost) {flags, z} = first;
    else if (sum == 0) {flags, z} = {again ? first[20:16] : 5'b0, zero_sign, 15'h0};
    else {flags, z} = joined;
  end
endmodule
