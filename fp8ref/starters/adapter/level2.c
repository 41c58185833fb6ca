#include <stdio.h>

#include "e4m3fn.h"

static uint32_t head[4]; /* bytes that follow the first word, id, operation, cases */
static uint32_t x[1 << 18];
static uint8_t z[1 << 18];

int main(void) {
    int c;
    while ((c = getchar()) != '\n')
        if (c == EOF) return 1;
    puts("{\"fp8ref\":\"hello\",\"protocol\":1,\"level\":2,\"name\":\"level2.c\",\"version\":\"1\","
         "\"operations\":[\"convert/f32/e4m3fn/rne.sat\"]}");
    fflush(stdout);
    while (fread(head, 4, 4, stdin) == 4) { /* a little-endian machine */
        uint32_t n = head[3];
        if (head[2] != 0 || n > 1 << 18 || fread(x, 4, n, stdin) != n) return 1;
        for (uint32_t i = 0; i < n; i++) z[i] = e4m3fn_of_f32(x[i]);
        uint32_t answer[3] = {8 + n, head[1], 0}; /* bytes that follow the first word, id, 0: answered */
        fwrite(answer, 4, 3, stdout);
        fwrite(z, 1, n, stdout);
        fflush(stdout);
    }
    return 0;
}
