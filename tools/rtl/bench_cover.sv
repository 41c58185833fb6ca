// The unit against the words of five files, one a mode, while its coverage is counted: the bins of every case, by the
// modules that came with the words, and lines, branches and toggles by the simulator.  +most=N ends each file early.
/* verilator coverage_off */
module bench;
  import rne_pkg::*;
  import "DPI-C" function void write_coverage(string name);

  logic [WORD_BITS-1:0] words[0:65535];
  logic [BINS_BITS-1:0] hits[0:65535];
  case_t wanted;
  bins_t hit;
  logic [15:0] z;
  logic [4:0] flags;
  logic [2:0] rm = 0;
  logic strobe = 0;
  string names[5] = '{"rne", "rtz", "rtn", "rtp", "rna"};
  int counts[5] = '{rne_pkg::COUNT, rtz_pkg::COUNT, rtn_pkg::COUNT, rtp_pkg::COUNT, rna_pkg::COUNT};
  int wrong = 0, most = 65536;

  exsdotp dut (.a(wanted.a), .b(wanted.b), .c(wanted.c), .rm(rm), .z(z), .flags(flags));
  rne_cover rne (.sample(strobe && rm == 3'd0), .hit(hit));
  rtz_cover rtz (.sample(strobe && rm == 3'd1), .hit(hit));
  rtn_cover rtn (.sample(strobe && rm == 3'd2), .hit(hit));
  rtp_cover rtp (.sample(strobe && rm == 3'd3), .hit(hit));
  rna_cover rna (.sample(strobe && rm == 3'd4), .hit(hit));

  initial begin
    void'($value$plusargs("most=%d", most));
    for (int mode = 0; mode < 5; mode++) begin
      rm = 3'(mode);
      wrong = 0;
      $readmemh({names[mode], ".memh"}, words, 0, counts[mode] - 1);
      $readmemh({names[mode], ".bins.memh"}, hits, 0, counts[mode] - 1);
      for (int i = 0; i < counts[mode] && i < most; i++) begin
        wanted = words[i];
        hit = hits[i];
        #1 strobe = 1;
        if ({z, 3'b000, flags} !== {wanted.z, wanted.x}) wrong++;
        #1 strobe = 0;
      end
      $display("%s: %0d of %0d cases differ", names[mode], wrong, counts[mode]);
    end
    write_coverage("coverage.dat");
    $finish;
  end
endmodule
