// Writes what Verilator counted; the main program that Verilator 5.006 makes of a bench does not.
#include "verilated.h"
#include "verilated_cov.h"

extern "C" void write_coverage(const char* name) { Verilated::threadContextp()->coveragep()->write(name); }
