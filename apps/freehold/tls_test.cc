// That a certificate is checked: one signed by nobody is refused, the same one is accepted when the
// system trusts it.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "download.h"
#include "test_server.h"

namespace freehold::app {
namespace {

struct Certificate {
  std::string certificate;
  std::string key;
};

template <typename Write>
std::string as_pem(const Write& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  write(bio.get());
  char* data = nullptr;
  const long n = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(n)};
}

Certificate self_signed(const std::string& host) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> one(X509_new(), X509_free);
  X509_set_version(one.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(one.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(one.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(one.get()), 3600);
  X509_set_pubkey(one.get(), key.get());
  X509_NAME* name = X509_get_subject_name(one.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(host.c_str()), -1, -1, 0);
  X509_set_issuer_name(one.get(), name);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + host).c_str());
  X509_add_ext(one.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(one.get(), key.get(), EVP_sha256());
  return {as_pem([&](BIO* bio) { PEM_write_bio_X509(bio, one.get()); }), as_pem([&](BIO* bio) {
            PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

class Trusted {
 public:
  explicit Trusted(const Certificate& certificate)
      : path_(std::filesystem::path(::testing::TempDir()) / "trusted.pem") {
    std::ofstream(path_) << certificate.certificate;
    ::setenv("SSL_CERT_FILE", path_.c_str(), 1);
  }
  Trusted(const Trusted&) = delete;
  Trusted& operator=(const Trusted&) = delete;
  ~Trusted() {
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove(path_);
  }

 private:
  std::filesystem::path path_;
};

base::Result<std::string> get(const TestServer& server) {
  return download_text(*parse_url(server.url("/")), "", 100);
}

TEST(Tls, ACertificateSignedByNobodyIsRefused) {
  const Certificate own = self_signed("localhost");
  const TestServer server([](const std::string&) { return ok("hello"); }, own.certificate, own.key);
  const auto text = get(server);
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find("certificate"), std::string::npos) << text.error().message;
  EXPECT_TRUE(server.requests().empty());
}

TEST(Tls, ATrustedOneIsAccepted) {
  const Certificate own = self_signed("localhost");
  const Trusted trusted(own);
  const TestServer server([](const std::string&) { return ok("hello"); }, own.certificate, own.key);
  const auto text = get(server);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "hello");
}

TEST(Tls, ATrustedOneOfAnotherHostIsRefused) {
  const Certificate other = self_signed("elsewhere.example");
  const Trusted trusted(other);
  const TestServer server([](const std::string&) { return ok("hello"); }, other.certificate,
                          other.key);
  EXPECT_FALSE(get(server));
  EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace freehold::app
