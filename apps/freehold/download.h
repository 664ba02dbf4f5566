// A file from an address into a folder: resumed where it broke off, bounded, verified, and under
// its name only when it is whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "url.h"

namespace freehold::app {

struct Download {
  Url url;
  std::filesystem::path destination;
  std::optional<uint64_t> bytes;  // exactly; unknown: what the server states
  std::string sha256;             // empty: computed, not checked
  std::string bearer;             // sent to the first server only
  // Bytes there so far, and of how many if that is known.
  std::function<void(uint64_t done, std::optional<uint64_t> total)> progress;

  uint64_t limit_bytes = uint64_t{4} << 40;
  int max_redirections = 10;
  int max_attempts = 6;  // in a row without a byte of progress
  std::chrono::milliseconds timeout{30000};
  std::chrono::milliseconds pause{500};  // before the second attempt, doubled after each
};

struct Downloaded {
  uint64_t bytes = 0;
  std::string sha256;
};

// What has arrived lies in DESTINATION.partial until the digest is right. Errors: kIo (the last
// attempt's), kNotFound, kBadFormat (a digest or length that is not the expected one: the partial
// file is deleted), kLimitExceeded (too long, too many redirections, the disk is too small).
base::Result<Downloaded> download(const Download& wanted);

// A small text, whole. Errors as above.
base::Result<std::string> download_text(const Url& url, const std::string& bearer,
                                        uint64_t limit_bytes);

}  // namespace freehold::app
