// Runs a fuzz target over files and folders of files, so that what a fuzzer once found is tested
// in every build, with or without libFuzzer. Fails when there is nothing to run.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void run(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> read((std::istreambuf_iterator<char>(file)), {});
  // A fresh allocation of just that size, so that AddressSanitizer sees a step over its end.
  const std::vector<uint8_t> bytes(read.begin(), read.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int n_arguments, char** arguments) {
  size_t n_files = 0;
  for (int i = 1; i < n_arguments; ++i) {
    const std::filesystem::path given(arguments[i]);
    if (std::filesystem::is_regular_file(given)) {
      run(given);
      ++n_files;
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(given)) {
      if (!entry.is_regular_file()) continue;
      run(entry.path());
      ++n_files;
    }
  }
  std::printf("%zu inputs\n", n_files);
  return n_files > 0 ? 0 : 1;
}
