// Where the elements of a tile lie in the registers of a warp and in shared memory, in 32-bit words.
//
// PTX ISA: fragments of mma.m16n8k32 (8-bit types), which are byte for byte those of m16n8k16 (16-bit types); register
// fragment D of wgmma.m64nNkK; core matrices of 8 rows of 16 bytes without swizzling.  Rows of A and of B transposed
// are 32 bytes, 8 words, a step.
#pragma once
#ifndef __CUDACC__
#define FP8REF_FUNCTION static inline
#else
#define FP8REF_FUNCTION static __device__ inline
#endif
typedef unsigned int u32;

FP8REF_FUNCTION u32 a_row(u32 lane, u32 i) { return lane / 4 + i % 2 * 8; }   // i: register 0 to 3
FP8REF_FUNCTION u32 a_word(u32 lane, u32 i) { return lane % 4 + i / 2 * 4; }
FP8REF_FUNCTION u32 b_row(u32 lane) { return lane / 4; }                      // a column of B
FP8REF_FUNCTION u32 b_word(u32 lane, u32 i) { return lane % 4 + i * 4; }      // i: register 0 or 1
FP8REF_FUNCTION u32 d_row(u32 lane, u32 pair) { return lane / 4 + pair * 8; } // pair 0 or 1 of elements of C and D
FP8REF_FUNCTION u32 d_column(u32 lane) { return lane % 4 * 2; }               // of the first element of a pair

// Block scales of mma.sync, {byte-id, thread-id} {0, 0}: the first two threads of a quad have those of the two rows of A,
// the first one those of the column of B; one 32-bit register holds a row's scales of a step, from its lowest byte on.
FP8REF_FUNCTION u32 scale_row(u32 lane) { return lane / 4 + lane % 2 * 8; }
FP8REF_FUNCTION u32 scale_column(u32 lane) { return lane / 4; }

// wgmma: the word of row r, word w of an operand in shared memory; the two core matrices of a row group are
// LEADING bytes apart, row groups STRIDE bytes.
#define LEADING 128u
#define STRIDE 256u
FP8REF_FUNCTION u32 shared_word(u32 r, u32 w) { return r / 8 * (STRIDE / 4) + w / 4 * (LEADING / 4) + r % 8 * 4 + w % 4; }
