// Models and logits under tests/data, unpacked into a folder that goes with the test.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "freehold/engine.h"

namespace freehold::golden {

inline std::filesystem::path data(const std::string& name) {
  return std::filesystem::path(FREEHOLD_TEST_DATA) / name;
}

// The bytes of a file, unpacked if it is gzip.
inline std::string bytes_of(const std::filesystem::path& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  EXPECT_NE(file, nullptr) << path;
  std::string bytes;
  std::vector<char> part(1 << 20);
  int n = 0;
  while (file != nullptr && (n = gzread(file, part.data(), 1 << 20)) > 0) {
    bytes.append(part.data(), static_cast<size_t>(n));
  }
  if (file != nullptr) gzclose(file);
  return bytes;
}

inline std::vector<float> floats_of(const std::filesystem::path& path) {
  const std::string bytes = bytes_of(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

inline std::vector<TokenId> prompt_of(const std::filesystem::path& path) {
  return nlohmann::json::parse(bytes_of(path))["prompt"].get<std::vector<TokenId>>();
}

// A folder of one test's own.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "freehold-golden-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  // Unpacks tests/data/<from> into the folder under its name without ".gz".
  std::filesystem::path unpack(const std::string& from) const {
    std::filesystem::path to = path_ / std::filesystem::path(from).filename();
    if (to.extension() == ".gz") to.replace_extension();
    const std::string bytes = bytes_of(data(from));
    std::ofstream(to, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return to;
  }

 private:
  std::filesystem::path path_;
};

// Loads with a small context; a test that gets no engine fails here.
inline std::unique_ptr<Engine> load(const std::filesystem::path& model, EngineOptions options) {
  options.context_tokens = 256;
  options.max_sequences = std::min(options.max_sequences, 8U);
  auto engine = Engine::load(model, options);
  EXPECT_TRUE(engine.has_value()) << (engine ? "" : engine.error().message);
  return engine ? std::move(*engine) : nullptr;
}

// All rows of logits, one after another.
inline std::vector<float> logits(Engine& engine, const std::vector<TokenId>& tokens,
                                 uint32_t batch) {
  std::vector<float> rows;
  const base::Status status = engine.logits(tokens, batch, [&](std::span<const float> row) {
    rows.insert(rows.end(), row.begin(), row.end());
  });
  EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message);
  return rows;
}

}  // namespace freehold::golden
