#include <inttypes.h>
#include <stdio.h>

#include "e4m3fn.h"

int main(void) {
    uint32_t x;
    while (scanf("%" SCNx32, &x) == 1) printf("%08" PRIX32 " %02X\n", x, e4m3fn_of_f32(x));
    return 0;
}
