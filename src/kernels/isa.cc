// Asks the processor, and the operating system through XGETBV, which kernels may run. The
// compiler's own detection does both.
#include "kernels/isa.h"

#include <array>
#include <string>

namespace freehold::kernels {
namespace {

constexpr std::array kAll = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512};

// The features that `isa` needs and this processor lacks, separated by commas.
std::string missing_features(Isa isa) {
  std::string missing;
  [[maybe_unused]] const auto need = [&missing](bool has, std::string_view feature) {
    if (has) return;
    if (!missing.empty()) missing += ", ";
    missing += feature;
  };
  if (isa == Isa::kScalar) return missing;
#if defined(__x86_64__)
  need(__builtin_cpu_supports("avx2") != 0, "avx2");
  need(__builtin_cpu_supports("fma") != 0, "fma");
  need(__builtin_cpu_supports("f16c") != 0, "f16c");
#if !defined(FREEHOLD_EMULATE_AVX512)
  if (isa == Isa::kAvx512) {
    need(__builtin_cpu_supports("avx512f") != 0, "avx512f");
    need(__builtin_cpu_supports("avx512bw") != 0, "avx512bw");
    need(__builtin_cpu_supports("avx512vl") != 0, "avx512vl");
    need(__builtin_cpu_supports("avx512dq") != 0, "avx512dq");
    need(__builtin_cpu_supports("avx512vnni") != 0, "avx512vnni");
  }
#endif
#endif
  return missing;
}

}  // namespace

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  return "unknown";
}

std::vector<Isa> available_isas() {
  std::vector<Isa> available;
  for (const Isa isa : kAll) {
    if (missing_features(isa).empty()) available.push_back(isa);
  }
  return available;
}

base::Result<Isa> select_isa(std::string_view wanted) {
  if (wanted.empty()) return available_isas().back();
  for (const Isa isa : kAll) {
    if (name(isa) != wanted) continue;
    if (const std::string missing = missing_features(isa); !missing.empty()) {
      return base::fail(base::ErrorCode::kUnsupported,
                        "the instruction set `" + std::string(wanted) +
                            "` needs features that this processor lacks: " + missing);
    }
    return isa;
  }
  return base::fail(base::ErrorCode::kInvalidArgument,
                    "unknown instruction set `" + std::string(wanted) +
                        "`; choose scalar, avx2 or avx512, or leave it out for the best");
}

}  // namespace freehold::kernels
