// API keys as secrets: made from the system's random source, kept only as a salted SHA-256.
//
// A key reads fh-<id>-<secret>: the id (12 hexadecimal digits) is public and finds the row; the
// secret has 256 bits, so one hash is as good as many.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace freehold::ledger {

struct Secret {
  std::string id;    // public
  std::string text;  // the whole key as its owner holds it
  std::string salt;  // 16 bytes
  std::string hash;  // 32 bytes: SHA-256(salt || text)
};

// Errors: kIo when the random source fails.
base::Result<Secret> make_secret();

// The id part of a key, or "" when the text is no key of ours.
std::string_view secret_id(std::string_view text);

// SHA-256(salt || text), 32 bytes. Errors: kIo.
base::Result<std::string> hash_secret(std::string_view salt, std::string_view text);

// Compares without telling by its time where the difference is.
bool same_bytes(std::string_view a, std::string_view b);

// `n_bytes` from the random source in hexadecimal; for ids. Errors: kIo.
base::Result<std::string> random_hex(size_t n_bytes);

}  // namespace freehold::ledger
