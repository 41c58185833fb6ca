// The kernels of the CUDA adapter without Python: nvcc and the driver are enough.
//
//   nvcc -std=c++17 -gencode=arch=compute_90a,code=sm_90a -I fp8ref/adapters/cuda -o standalone tools/captures/hopper/standalone.cu
//   ./standalone sweep cvt_e4m3_f32 e4m3.table [SHARDS]    every float32, counted against a table on the device
//   ./standalone product wgmma_e4m3_e4m3_f32 64 a b c d    tiles of files a, b, c -> d; 64 rows a tile, 16 for mma
//
// A table is the ends of runs of one answer: pairs of uint32, first input and code (tools/captures/hopper/standalone.py).
#include "kernels.cu"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define CHECK(call)                                                                                                    \
  do {                                                                                                                 \
    cudaError_t error = call;                                                                                          \
    if (error != cudaSuccess) {                                                                                        \
      fprintf(stderr, "%s: %s\n", #call, cudaGetErrorString(error));                                                   \
      exit(6);                                                                                                         \
    }                                                                                                                  \
  } while (0)

static std::vector<u8> read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fprintf(stderr, "cannot read %s\n", path), exit(4);
  std::vector<u8> bytes;
  u8 block[1 << 16];
  for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;) bytes.insert(bytes.end(), block, block + n);
  fclose(file);
  return bytes;
}

template <class T> static T *on_device(const std::vector<u8> &bytes) {
  void *pointer;
  CHECK(cudaMalloc(&pointer, bytes.size()));
  CHECK(cudaMemcpy(pointer, bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
  return (T *)pointer;
}

__global__ void count_up(u32 *x, u32 first, u64 n) {
  if (THREAD < n) x[THREAD] = first + (u32)THREAD;
}

// wrong[0]: how many; wrong[1]: the smallest input that is wrong.
__global__ void compare(const u8 *z, const u32 *table, u32 runs, u32 first, u64 n, u64 *wrong) {
  if (THREAD >= n) return;
  u32 x = first + (u32)THREAD, low = 0, high = runs;
  while (high - low > 1) {
    u32 middle = (low + high) / 2;
    if (table[2 * middle] <= x) low = middle;
    else high = middle;
  }
  if (z[THREAD] != table[2 * low + 1]) atomicAdd(wrong, 1ull), atomicMin(wrong + 1, (u64)x);
}

typedef void (*Convert)(const float *, u8 *, u64);
typedef void (*Product)(const u32 *, const u32 *, const u32 *, u32 *, u32, u32);
#define ENTRY(kernel) {#kernel, kernel}
static const struct { const char *name; Convert kernel; } CONVERSIONS[] = {
    ENTRY(cvt_e4m3_f32), ENTRY(cvt_e5m2_f32), ENTRY(cvt_e4m3_f32_relu), ENTRY(cvt_e5m2_f32_relu)};
#define PAIRS(kind)                                                                                                    \
  ENTRY(kind##_e4m3_e4m3_f32), ENTRY(kind##_e4m3_e5m2_f32), ENTRY(kind##_e5m2_e4m3_f32), ENTRY(kind##_e5m2_e5m2_f32),  \
      ENTRY(kind##_e4m3_e4m3_f16), ENTRY(kind##_e4m3_e5m2_f16), ENTRY(kind##_e5m2_e4m3_f16),                           \
      ENTRY(kind##_e5m2_e5m2_f16), ENTRY(kind##_f16_f16_f32), ENTRY(kind##_f16_f16_f16), ENTRY(kind##_bf16_bf16_f32)
static const struct { const char *name; Product kernel; } PRODUCTS[] = {PAIRS(mma), PAIRS(wgmma)};

static int sweep(const char *name, const char *path, int shards) {
  const u64 size = 1 << 24;
  std::vector<u8> table = read_file(path), block(size);
  const u64 nothing[2] = {0, ~0ull};
  u32 *x;
  u8 *z;
  u64 *wrong, found[2];
  CHECK(cudaMalloc(&x, size * 4));
  CHECK(cudaMalloc(&z, size));
  CHECK(cudaMalloc(&wrong, sizeof nothing));
  CHECK(cudaMemcpy(wrong, nothing, sizeof nothing, cudaMemcpyHostToDevice));
  u32 *runs = on_device<u32>(table);
  for (auto entry : CONVERSIONS) {
    if (strcmp(entry.name, name)) continue;
    for (int shard = 0; shard < shards; shard++) {
      count_up<<<size / 256, 256>>>(x, (u32)(shard * size), size);
      entry.kernel<<<size / 512, 256>>>((const float *)x, z, size);
      compare<<<size / 256, 256>>>(z, runs, (u32)(table.size() / 8), (u32)(shard * size), size, wrong);
      CHECK(cudaMemcpy(block.data(), z, size, cudaMemcpyDeviceToHost));
      if (const char *folder = getenv("SHARDS")) { // for sha256sum: the digests of `fp8ref prove`
        char file[4096];
        snprintf(file, sizeof file, "%s/%s.%03d", folder, name, shard);
        FILE *out = fopen(file, "wb");
        if (!out || fwrite(block.data(), 1, size, out) != size || fclose(out)) return fprintf(stderr, "cannot write %s\n", file), 4;
      }
    }
    CHECK(cudaMemcpy(found, wrong, sizeof found, cudaMemcpyDeviceToHost));
    printf("%s: %llu inputs, %llu wrong", name, shards * size, found[0]);
    found[0] ? printf(", the first %08llX\n", found[1]) : printf("\n");
    return found[0] != 0;
  }
  return fprintf(stderr, "no conversion %s\n", name), 4;
}

static int product(const char *name, u32 rows, char **paths) {
  std::vector<u8> a = read_file(paths[0]), b = read_file(paths[1]), c = read_file(paths[2]);
  u32 element = strstr(name + strlen(name) - 3, "f16") ? 2 : 4, tiles = (u32)(c.size() / (rows * 8 * element));
  if (!tiles || a.size() % (tiles * rows * 4)) return fprintf(stderr, "the files are no tiles of %u rows\n", rows), 4;
  u32 words = (u32)(a.size() / tiles / rows / 4);
  u32 *d = on_device<u32>(c), *da = on_device<u32>(a), *db = on_device<u32>(b), *dc = on_device<u32>(c);
  for (auto entry : PRODUCTS) {
    if (strcmp(entry.name, name)) continue;
    entry.kernel<<<rows == 64 ? tiles : (tiles + 3) / 4, 128>>>(da, db, dc, d, tiles, words);
    CHECK(cudaDeviceSynchronize());
    CHECK(cudaMemcpy(c.data(), d, c.size(), cudaMemcpyDeviceToHost));
    FILE *out = fopen(paths[3], "wb");
    if (!out || fwrite(c.data(), 1, c.size(), out) != c.size() || fclose(out)) return fprintf(stderr, "cannot write %s\n", paths[3]), 4;
    return 0;
  }
  return fprintf(stderr, "no product %s\n", name), 4;
}

int main(int n, char **word) {
  if (n >= 4 && !strcmp(word[1], "sweep")) return sweep(word[2], word[3], n > 4 ? atoi(word[4]) : 256);
  if (n == 8 && !strcmp(word[1], "product")) return product(word[2], atoi(word[3]), word + 4);
  fprintf(stderr, "usage: standalone sweep KERNEL TABLE [SHARDS] | product KERNEL ROWS A B C D\n");
  return 4;
}
