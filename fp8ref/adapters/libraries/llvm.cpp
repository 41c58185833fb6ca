// LLVM's APFloat behind the C ABI of fp8ref.h: conversions and arithmetic of its narrow formats in five
// roundings, and their constants.

#include "fp8ref.h"

#include <llvm/ADT/APFloat.h>
#include <llvm/ADT/APInt.h>
#include <llvm/Config/llvm-config.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

using llvm::APFloat;
using llvm::APInt;
using llvm::RoundingMode;

namespace {

struct Type {
  const llvm::fltSemantics *semantics;
  unsigned bits;
};

const std::map<std::string, Type> types = {
    {"f16", {&APFloat::IEEEhalf(), 16}},           {"bf16", {&APFloat::BFloat(), 16}},
    {"f32", {&APFloat::IEEEsingle(), 32}},         {"f64", {&APFloat::IEEEdouble(), 64}},
    {"e5m2", {&APFloat::Float8E5M2(), 8}},         {"e5m2fnuz", {&APFloat::Float8E5M2FNUZ(), 8}},
    {"e4m3fn", {&APFloat::Float8E4M3FN(), 8}},     {"e4m3fnuz", {&APFloat::Float8E4M3FNUZ(), 8}},
    {"e4m3b11fnuz", {&APFloat::Float8E4M3B11FNUZ(), 8}},
#if LLVM_VERSION_MAJOR >= 19
    {"e4m3", {&APFloat::Float8E4M3(), 8}},
    {"e3m2fn", {&APFloat::Float6E3M2FN(), 6}},     {"e2m3fn", {&APFloat::Float6E2M3FN(), 6}},
    {"e2m1fn", {&APFloat::Float4E2M1FN(), 4}},
#endif
#if LLVM_VERSION_MAJOR >= 20
    {"e3m4", {&APFloat::Float8E3M4(), 8}},         {"e8m0fnu", {&APFloat::Float8E8M0FNU(), 8}},
#endif
};

const std::map<std::string, RoundingMode> roundings = {
    {"rne", RoundingMode::NearestTiesToEven}, {"rna", RoundingMode::NearestTiesToAway},
    {"rtz", RoundingMode::TowardZero},        {"rtp", RoundingMode::TowardPositive},
    {"rtn", RoundingMode::TowardNegative},
};

using Operands = std::vector<APFloat>;
using Status = APFloat::opStatus;
// in-place on the first operand
const std::map<std::string, std::function<Status(Operands &, RoundingMode)>> arithmetic = {
    {"add", [](Operands &x, RoundingMode rm) { return x[0].add(x[1], rm); }},
    {"sub", [](Operands &x, RoundingMode rm) { return x[0].subtract(x[1], rm); }},
    {"mul", [](Operands &x, RoundingMode rm) { return x[0].multiply(x[1], rm); }},
    {"div", [](Operands &x, RoundingMode rm) { return x[0].divide(x[1], rm); }},
    {"fma", [](Operands &x, RoundingMode rm) { return x[0].fusedMultiplyAdd(x[1], x[2], rm); }},
    {"rint", [](Operands &x, RoundingMode rm) { return x[0].roundToIntegral(rm); }},
};

// constants by numpy.finfo's names: values, and counts and exponents
const std::map<std::string, std::function<APFloat(const llvm::fltSemantics &)>> values = {
    {"max", [](const llvm::fltSemantics &s) { return APFloat::getLargest(s); }},
    {"min", [](const llvm::fltSemantics &s) { return APFloat::getLargest(s, true); }},
    {"smallest_normal", [](const llvm::fltSemantics &s) { return APFloat::getSmallestNormalized(s); }},
    {"smallest_subnormal", [](const llvm::fltSemantics &s) { return APFloat::getSmallest(s); }},
};
const std::map<std::string, std::function<int64_t(const llvm::fltSemantics &)>> counts = {
    {"bits", [](const llvm::fltSemantics &s) { return int64_t(APFloat::semanticsSizeInBits(s)); }},
    {"nmant", [](const llvm::fltSemantics &s) { return int64_t(APFloat::semanticsPrecision(s)) - 1; }},
    {"minexp", [](const llvm::fltSemantics &s) { return int64_t(APFloat::semanticsMinExponent(s)); }},
    {"maxexp", [](const llvm::fltSemantics &s) { return int64_t(APFloat::semanticsMaxExponent(s)) + 1; }},
};

uint64_t constant(const std::string &name, const llvm::fltSemantics &semantics) {
  if (counts.count(name))
    return uint64_t(counts.at(name)(semantics));
  bool loses = false;
  APFloat value = values.at(name)(semantics);
  value.convert(APFloat::IEEEdouble(), RoundingMode::NearestTiesToEven, &loses);
  return value.bitcastToAPInt().getZExtValue();
}

size_t width(const Type &type) { return type.bits <= 8 ? 1 : type.bits / 8; }

uint64_t load(const void *from, size_t i, size_t bytes) {
  uint64_t code = 0;
  std::memcpy(&code, static_cast<const char *>(from) + i * bytes, bytes);
  return code;
}

std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

} // namespace

extern "C" int fp8ref_abi(void) { return FP8REF_ABI; }

extern "C" const char *fp8ref_identity(void) { return "llvm-apfloat\n" LLVM_VERSION_STRING; }

// The Python side claims: it knows which operations the specification defines for these types.
extern "C" const char *fp8ref_capabilities(void) { return ""; }

extern "C" const char *fp8ref_llvm_types(void) {
  static std::string names;
  names.clear();
  for (const auto &type : types)
    names += type.first + " ";
  return names.c_str();
}

extern "C" int fp8ref_run(const char *op, const void *const *operands, size_t n, void *result, uint8_t *flags) {
  const auto parts = split(split(op, ';')[0], '/');
  const auto names = split(parts[1], '.');
  if (parts[0] == "finfo") {
    for (size_t i = 0; i < n; i++)
      static_cast<uint64_t *>(result)[i] = constant(parts[3], *types.at(names[0]).semantics);
    return flags != nullptr;
  }
  const Type &to = types.at(parts[2]);
  const auto mode = parts.size() > 3 ? roundings.at(split(parts[3], '.')[0]) : RoundingMode::NearestTiesToEven;
  const auto found = arithmetic.find(parts[0]);
  if (flags != nullptr)
    return 1;
  for (size_t i = 0; i < n; i++) {
    Operands x;
    for (size_t k = 0; k < names.size(); k++) {
      const Type &from = types.at(names[k]);
      x.emplace_back(*from.semantics, APInt(from.bits, load(operands[k], i, width(from))));
    }
    if (found != arithmetic.end()) {
      found->second(x, mode);
    } else {
      bool loses = false;
      x[0].convert(*to.semantics, mode, &loses);
    }
    const uint64_t code = x[0].bitcastToAPInt().getZExtValue();
    std::memcpy(static_cast<char *>(result) + i * width(to), &code, width(to));
  }
  return 0;
}
