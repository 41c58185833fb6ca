// UVM: an item and a scoreboard for f32_to_e4m3fn.  Any driver and any monitor serve: the monitor writes what the unit
// took and what it gave to `observed`, and the golden model in C says through DPI-C what is right.
package convert_uvm_pkg;
  import uvm_pkg::*;
  import fp8ref_model_pkg::*;
`include "uvm_macros.svh"

  class convert_item extends uvm_sequence_item;
    rand bit [31:0] a;   // binary32
    rand bit [2:0] rm;   // as the frm field of RISC-V
    rand bit [1:0] part;
    bit [7:0] z;         // E4M3, as the unit answered
    bit [4:0] flags;     // NX, UF, OF, DZ, NV, the first lowest

    constraint modes { rm <= 3'd4; }
    constraint exponents {  // three of four within E4M3's range and its subnormals
      part != 2'd0 -> a[30:23] inside {[8'd116 : 8'd136]};
    }

    `uvm_object_utils(convert_item)

    function new(string name = "convert_item");
      super.new(name);
    endfunction

    virtual function string convert2string();
      return $sformatf("%08h rm %0d gives %02h flags %02h", a, rm, z, flags);
    endfunction
  endclass

  class convert_scoreboard extends uvm_scoreboard;
    uvm_analysis_imp #(convert_item, convert_scoreboard) observed;
    int unsigned cases, wrong;
    int overflow = SAT, tininess = AFTER;  // as the unit's manual says

    `uvm_component_utils(convert_scoreboard)

    function new(string name, uvm_component parent);
      super.new(name, parent);
      observed = new("observed", this);
    endfunction

    virtual function void write(convert_item item);
      byte unsigned right;
      int raised;
      raised = fp8ref_f32_to_e4m3fn(item.a, int'(item.rm), overflow, tininess, right);
      cases++;
      if (raised < 0) begin
        wrong++;
        `uvm_error("MODE", {"no such mode: ", item.convert2string()})
      end else if (item.z !== right || item.flags !== raised[4:0]) begin
        wrong++;
        `uvm_error("MISMATCH", $sformatf("%s, not %02h %02h", item.convert2string(), right, raised))
      end
    endfunction

    virtual function void check_phase(uvm_phase phase);
      super.check_phase(phase);
      if (cases == 0) `uvm_error("NOTHING", "nothing was checked")
    endfunction

    virtual function void report_phase(uvm_phase phase);
      super.report_phase(phase);
      `uvm_info("FP8REF", $sformatf("%0d of %0d cases differ", wrong, cases), UVM_NONE)
    endfunction
  endclass
endpackage
