// Owns the making and hashing of API keys; refuses to go on without randomness.
#include "ledger/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <memory>

namespace freehold::ledger {
namespace {

constexpr size_t kIdBytes = 6;
constexpr size_t kSecretBytes = 32;
constexpr size_t kSaltBytes = 16;
constexpr std::string_view kPrefix = "fh-";

base::Result<std::string> random_bytes(size_t n_bytes) {
  std::string bytes(n_bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(n_bytes)) != 1) {
    return base::fail(base::ErrorCode::kIo, "the system's random source failed");
  }
  return bytes;
}

}  // namespace

base::Result<std::string> random_hex(size_t n_bytes) {
  FREEHOLD_ASSIGN(const std::string bytes, random_bytes(n_bytes));
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(n_bytes * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
  }
  return text;
}

base::Result<std::string> hash_secret(std::string_view salt, std::string_view text) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), salt.data(), salt.size()) != 1 ||
      EVP_DigestUpdate(context.get(), text.data(), text.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) {
    return base::fail(base::ErrorCode::kIo, "SHA-256 failed");
  }
  return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

base::Result<Secret> make_secret() {
  Secret secret;
  FREEHOLD_ASSIGN(secret.id, random_hex(kIdBytes));
  FREEHOLD_ASSIGN(const std::string random, random_hex(kSecretBytes));
  FREEHOLD_ASSIGN(secret.salt, random_bytes(kSaltBytes));
  secret.text = std::string(kPrefix) + secret.id + "-" + random;
  FREEHOLD_ASSIGN(secret.hash, hash_secret(secret.salt, secret.text));
  return secret;
}

std::string_view secret_id(std::string_view text) {
  constexpr size_t kSize = kPrefix.size() + kIdBytes * 2 + 1 + kSecretBytes * 2;
  if (text.size() != kSize || !text.starts_with(kPrefix)) return {};
  if (text[kPrefix.size() + kIdBytes * 2] != '-') return {};
  return text.substr(kPrefix.size(), kIdBytes * 2);
}

bool same_bytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace freehold::ledger
