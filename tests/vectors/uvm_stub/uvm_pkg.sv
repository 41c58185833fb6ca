// The classes of UVM 1.2 that a scoreboard and an item stand on, with nothing inside: to read our package with a linter
// and to call its scoreboard.
package uvm_pkg;
  typedef enum int {UVM_NONE = 0, UVM_LOW = 100} uvm_verbosity;

  class uvm_phase;
    int unused;
  endclass

  class uvm_object;
    string called;
    function new(string name = "");
      called = name;
    endfunction
    virtual function string convert2string();
      return "";
    endfunction
  endclass

  class uvm_sequence_item extends uvm_object;
    function new(string name = "");
      super.new(name);
    endfunction
  endclass

  class uvm_component extends uvm_object;
    uvm_component above;
    function new(string name, uvm_component parent);
      super.new(name);
      above = parent;
    endfunction
    virtual function void check_phase(uvm_phase phase);
    endfunction
    virtual function void report_phase(uvm_phase phase);
    endfunction
  endclass

  class uvm_scoreboard extends uvm_component;
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
  endclass

  class uvm_analysis_imp #(type T = int, type IMP = int);
    IMP to;
    function new(string name, IMP imp);
      to = imp;
    endfunction
  endclass
endpackage
