// Stands in for UVM's macros where no simulator here has UVM: registration is nothing, messages are printed.
`define uvm_object_utils(T)
`define uvm_component_utils(T)
`define uvm_info(ID, TEXT, LEVEL) $display("INFO %s: %s", ID, TEXT);
`define uvm_error(ID, TEXT) $display("ERROR %s: %s", ID, TEXT);
