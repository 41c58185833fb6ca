/* What a shared object under test exports for `fp8ref check --impl cabi:./lib.so`; see docs/protocol.md.
   Strings end with a zero byte and stay valid until the next call.  Calls come from one thread. */
#ifndef FP8REF_H
#define FP8REF_H

#include <stddef.h>
#include <stdint.h>

#define FP8REF_ABI 1

#ifdef __cplusplus
extern "C" {
#endif

/* FP8REF_ABI of the header that it was built with. */
int fp8ref_abi(void);

/* Name and version, separated by a line feed: "my-core\n1.2".  May be left out. */
const char *fp8ref_identity(void);

/* The operation ids that it answers, separated by line feeds. */
const char *fp8ref_capabilities(void);

/* Answers n cases of an operation, one of the ids above.  operands[i] points to the codes of operand i, result to room
   for n result codes, each an unsigned integer of the smallest of 8, 16, 32 and 64 bits that holds the type (for i8 to
   u64 that integer).  flags: room for n status bytes (NX 1, UF 2, OF 4, DZ 8, NV 16), of operations with amax for n codes
   of binary32, or NULL where neither is asked for.  Returns 0; 1 to decline; any other number for an error. */
int fp8ref_run(const char *op, const void *const *operands, size_t n, void *result, uint8_t *flags);

#ifdef __cplusplus
}
#endif

#endif
