#include "store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace freehold::app {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / "freehold_store_test";
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void add(const std::string& name, const std::vector<std::string>& files) {
    fs::create_directories(store().folder(name));
    StoredModel model{name, "pypi:x==1", "2026-01-01T00:00:00Z", {}};
    for (const auto& file : files) {
      std::ofstream(store().folder(name) / file) << "x";
      model.files.push_back({file, 1, std::string(64, '0')});
    }
    ASSERT_TRUE(store().add(model));
  }
  Store store() const { return Store(root_); }

  fs::path root_;
};

TEST_F(StoreTest, AnEmptyStoreListsNothing) {
  EXPECT_TRUE(store().list().value().empty());
  EXPECT_EQ(store().find("a").error().code, ErrorCode::kNotFound);
}

TEST_F(StoreTest, ModelsAreListedFoundAndRemoved) {
  add("b", {"m.gguf"});
  add("a", {"m-00002-of-00002.gguf", "m-00001-of-00002.gguf"});
  const auto models = store().list().value();
  ASSERT_EQ(models.size(), 2);
  EXPECT_EQ(models[0].name, "a");
  EXPECT_EQ(models[0].bytes(), 2);
  EXPECT_EQ(store().path("a").value().filename(), "m-00001-of-00002.gguf");
  EXPECT_TRUE(store().remove("a"));
  EXPECT_EQ(store().list().value().size(), 1);
  EXPECT_EQ(store().remove("a").error().code, ErrorCode::kNotFound);
}

TEST_F(StoreTest, APackageIsItsFolder) {
  add("p", {"config.json", "model.safetensors"});
  EXPECT_EQ(store().path("p").value(), store().folder("p"));
}

TEST_F(StoreTest, AModelWithoutAManifestIsNotThereYet) {
  fs::create_directories(store().folder("half"));
  EXPECT_TRUE(store().list().value().empty());
  EXPECT_TRUE(store().remove("half"));
}

TEST_F(StoreTest, NamesThatLeadOutOfTheStoreAreRefused) {
  for (const char* name : {"", ".", "..", "../a", "a/b", "-x", ".hidden", "a b", "a\nb"}) {
    EXPECT_EQ(store().remove(name).error().code, ErrorCode::kInvalidArgument) << name;
  }
  for (const char* name : {"", "..", "a/b", ".x", "a\nb"}) EXPECT_FALSE(check_file_name(name));
  EXPECT_TRUE(check_file_name("SmolLM2-135M-Instruct.Q4_1.gguf"));
}

TEST_F(StoreTest, ADamagedManifestIsAnError) {
  add("a", {"m.gguf"});
  for (const char* text : {"", "{", "[]", "{\"name\": 1}", "null",
                           R"({"name":"a","source":"","pulled":"","files":[]})",
                           R"({"name":"a","source":"","pulled":"","files":[{"name":"../x",)"
                           R"("bytes":1,"sha256":""}]})"}) {
    std::ofstream(store().folder("a") / "manifest.json") << text;
    EXPECT_EQ(store().find("a").error().code, ErrorCode::kBadFormat) << text;
  }
}

TEST_F(StoreTest, AnUnknownModelOfTheCatalogueNamesTheRemedy) {
  ::setenv("FREEHOLD_HOME", root_.c_str(), 1);
  const auto path = resolve_model("smollm2");
  ASSERT_FALSE(path);
  EXPECT_NE(path.error().message.find("freehold pull smollm2"), std::string::npos);
  EXPECT_EQ(resolve_model("no/such/file.gguf").error().code, ErrorCode::kNotFound);
  ::unsetenv("FREEHOLD_HOME");
}

}  // namespace
}  // namespace freehold::app
