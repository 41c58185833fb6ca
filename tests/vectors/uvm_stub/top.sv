// Right answers, a wrong code, a wrong flag, a mode that is none.
module top;
  import convert_uvm_pkg::*;
  import uvm_pkg::*;
  convert_scoreboard board;
  uvm_component none;
  uvm_phase phase;

  function automatic void observe(bit [31:0] a, bit [2:0] rm, bit [7:0] z, bit [4:0] flags);
    convert_item item = new("item");
    item.a = a;
    item.rm = rm;
    item.z = z;
    item.flags = flags;
    board.write(item);
  endfunction

  initial begin
    board = new("board", none);
    phase = new;
    board.check_phase(phase);
    observe(32'h3F800000, 3'd0, 8'h38, 5'h00);
    observe(32'h43E88000, 3'd0, 8'h7E, 5'h05);
    observe(32'h3F880000, 3'd0, 8'h38, 5'h01);
    observe(32'h3F880000, 3'd3, 8'h39, 5'h01);
    observe(32'h3F880000, 3'd0, 8'h39, 5'h01);
    observe(32'h43E88000, 3'd0, 8'h7E, 5'h04);
    observe(32'h3F800000, 3'd7, 8'h38, 5'h00);
    board.check_phase(phase);
    board.report_phase(phase);
    $finish;
  end
endmodule
