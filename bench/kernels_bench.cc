// How fast the products of weight panels are, for each type and number of tokens, beside what the
// processor can do at most: int8 operations from registers (kernels/probe.h) and a plain read of
// memory, measured in the same run.
//
//   kernels_bench [--type Q4_K,Q8_0] [--isa NAME] [--tokens 1,6,64] [--width K] [--threads N]
//                 [--repeats N] [--csv]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/matmul.h"
#include "kernels/panel.h"
#include "kernels/probe.h"
#include "models/weight_memory.h"
#include "quant/type.h"

namespace {

using freehold::base::ThreadPool;
using freehold::kernels::ActivationBlock;
using freehold::kernels::Isa;
using freehold::kernels::kPanelRows;
using freehold::kernels::PanelFormat;
using freehold::quant::Type;

constexpr Type kTypes[] = {Type::kF32,   Type::kF16,  Type::kBF16, Type::kQ4_0,   Type::kQ4_1,
                           Type::kQ5_0,  Type::kQ5_1, Type::kQ8_0, Type::kQ2_K,   Type::kQ3_K,
                           Type::kQ4_K,  Type::kQ5_K, Type::kQ6_K, Type::kIQ4_NL, Type::kIQ4_XS,
                           Type::kMXFP4, Type::kFp8};

// Weights are read from memory, not from a cache, and from pages as a model's.
constexpr size_t kWeightBytes = size_t{96} << 20U;
// But many tokens would take too long over that many, and don't wait for memory.
constexpr double kMostOperations = 4e9;

struct Options {
  std::vector<std::string> types;
  std::string isa;
  std::vector<size_t> tokens = {1, 2, 3, 4, 6, 8, 16, 32, 64, 126};
  size_t width = 4096;
  int threads = 1;
  size_t repeats = 5;
  bool csv = false;
};

struct Limits {
  double read_gbps = 0;
  double int8_gops = 0;
};

// Of one thread's processor time: the machine may have other work.
double seconds_since(std::clock_t start, int threads) {
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return std::max(seconds / threads, 1e-6);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Everything is measured in this way: once to warm up, then the median.
template <class Fn>
double median_seconds(const Options& options, Fn&& fn) {
  fn();
  std::vector<double> seconds;
  for (size_t i = 0; i < options.repeats; ++i) {
    const std::clock_t start = std::clock();
    fn();
    seconds.push_back(seconds_since(start, options.threads));
  }
  return median(seconds);
}

Limits measure_limits(ThreadPool& pool, Isa isa, const Options& options,
                      std::span<const uint64_t> words) {
  const auto threads = static_cast<size_t>(pool.threads());
  std::atomic<uint64_t> sink = 0;
  const double read_s = median_seconds(options, [&] {
    pool.run_all([&](int thread) {
      const size_t share = words.size() / threads / 8 * 8;
      const uint64_t* from = words.data() + share * static_cast<size_t>(thread);
      uint64_t sums[8] = {};
      for (size_t i = 0; i < share; i += 8) {
        for (size_t j = 0; j < 8; ++j) sums[j] += from[i + j];
      }
      for (const uint64_t sum : sums) sink += sum;
    });
  });
  std::atomic<uint64_t> operations = 0;
  const double probe_s = median_seconds(options, [&] {
    operations = 0;
    pool.run_all([&](int) {
      int32_t value = 0;
      operations += freehold::kernels::int8_probe(isa)(100'000, &value);
      sink += static_cast<uint64_t>(value);
    });
  });
  return {static_cast<double>(words.size() * 8) / read_s * 1e-9,
          static_cast<double>(operations) / probe_s * 1e-9};
}

// A matrix of zero blocks and rows of zero activations: no instruction's time depends on values
// here, and zeros are valid in every format.
struct Product {
  Product(Type type, size_t width, size_t panels, size_t n_tokens, std::span<const uint64_t> words)
      : panel_bytes(freehold::kernels::panel_bytes(*freehold::kernels::panel_format(type), width)),
        n_panels(panels),
        k(width),
        weights(reinterpret_cast<const std::byte*>(words.data())),
        activations(n_tokens * row_words(type, width)),
        out(n_tokens * panels * kPanelRows) {
    for (size_t t = 0; t < n_tokens; ++t) {
      rows.push_back(reinterpret_cast<const std::byte*>(&activations[t * row_words(type, width)]));
    }
  }
  static size_t row_words(Type type, size_t k) {
    const size_t bytes = freehold::kernels::takes_floats(type) ? k * 4 : ActivationBlock::bytes(k);
    return (bytes + 63) / 64 * 8;
  }
  void run(ThreadPool& pool, freehold::kernels::PanelProduct product) {
    pool.run(n_panels, [&](size_t panel, int) {
      std::vector<float*> sums(rows.size());
      for (size_t t = 0; t < rows.size(); ++t) {
        sums[t] = out.data() + (t * n_panels + panel) * kPanelRows;
      }
      product(weights + panel * panel_bytes, k, rows.data(), rows.size(), sums.data());
    });
  }

  size_t panel_bytes;
  size_t n_panels;
  size_t k;
  const std::byte* weights;
  std::vector<uint64_t> activations;
  std::vector<float> out;
  std::vector<const std::byte*> rows;
};

void print_row(const Options& options, const Limits& limits, Type type, size_t n_tokens,
               double gops, double gbps) {
  const std::string name(freehold::quant::info(type).name);
  std::printf(options.csv ? "%s,%zu,%.2f,%.4f,%.3f,%.4f\n" : "%-7s %6zu %9.1f %8.2f %9.2f %8.2f\n",
              name.c_str(), n_tokens, gops, gops / limits.int8_gops, gbps, gbps / limits.read_gbps);
  std::fflush(stdout);
}

int bench(const Options& options) {
  const auto isa = freehold::kernels::select_isa(options.isa);
  if (!isa) {
    std::fprintf(stderr, "kernels_bench: %s\n", isa.error().message.c_str());
    return 1;
  }
  ThreadPool pool(options.threads);
  // Every page is written, so that it is a page.
  auto memory = freehold::models::WeightMemory::create(kWeightBytes);
  if (!memory) {
    std::fprintf(stderr, "kernels_bench: %s\n", memory.error().message.c_str());
    return 1;
  }
  std::memset(memory->writable(), 0, kWeightBytes);
  const std::span words(reinterpret_cast<const uint64_t*>(memory->data()), kWeightBytes / 8);
  const Limits limits = measure_limits(pool, *isa, options, words);
  std::fprintf(stderr, "%s, %d threads, rows of %zu; int8 %.1f GOPS, read %.2f GB/s\n",
               std::string(freehold::kernels::name(*isa)).c_str(), pool.threads(), options.width,
               limits.int8_gops, limits.read_gbps);
  std::puts(options.csv ? "type,tokens,gops,int8_share,gbps,read_share"
                        : "type    tokens      GOPS  of int8      GB/s  of read");
  for (const Type type : kTypes) {
    const std::string name(freehold::quant::info(type).name);
    if (!options.types.empty() && std::ranges::count(options.types, name) == 0) continue;
    for (const size_t n_tokens : options.tokens) {
      const double each = 2.0 * static_cast<double>(kPanelRows * options.width * n_tokens);
      const size_t bytes =
          freehold::kernels::panel_bytes(*freehold::kernels::panel_format(type), options.width);
      const size_t n_panels =
          std::clamp<size_t>(static_cast<size_t>(kMostOperations / each), 1, kWeightBytes / bytes);
      Product product(type, options.width, n_panels, n_tokens, words);
      const auto kernel = freehold::kernels::panel_product(*isa, type);
      const double s = median_seconds(options, [&] { product.run(pool, kernel); });
      const auto panels = static_cast<double>(n_panels);
      print_row(options, limits, type, n_tokens, panels * each / s * 1e-9,
                panels * static_cast<double>(bytes) / s * 1e-9);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Speed of the weight panels' products.");
  app.add_option("--type", options.types, "Types, by name (all)")->delimiter(',');
  app.add_option("--isa", options.isa, "Instruction set (the best)");
  app.add_option("--tokens", options.tokens, "Numbers of tokens")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  app.add_option("--width", options.width, "Inner dimension: a multiple of 256")
      ->check(CLI::Range(256, 65536));
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 1024));
  app.add_option("--repeats", options.repeats)->check(CLI::Range(1, 1000));
  app.add_flag("--csv", options.csv, "Comma-separated, for machines");
  CLI11_PARSE(app, argc, argv);
  options.width = options.width / 256 * 256;
  return bench(options);
}
