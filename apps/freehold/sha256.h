// SHA-256, for digests of downloaded files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_md_ctx_st;

namespace freehold::app {

class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  // 64 lower-case hexadecimal digits of all that was given; call once.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// Adds a whole file to `digest`, in pieces. Errors: kNotFound, kIo.
base::Status digest_file(const std::filesystem::path& path, Sha256& digest);
// 64 lower-case hexadecimal digits and nothing else.
bool is_sha256(std::string_view text);

}  // namespace freehold::app
