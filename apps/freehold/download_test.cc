#include "download.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "sha256.h"
#include "test_server.h"

namespace freehold::app {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

class DownloadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              ("download_" +
               std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (size_t i = 0; i < 300000; ++i) body_ += static_cast<char>((i * 7 + i / 253) & 0xff);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string digest_of(const std::string& text) {
    Sha256 digest;
    digest.update(std::as_bytes(std::span(text)));
    return digest.hex();
  }

  Download wanted(const std::string& url) {
    Download download;
    download.url = *parse_url(url);
    download.destination = folder_ / "model.gguf";
    download.sha256 = digest_of(body_);
    download.pause = std::chrono::milliseconds(1);
    download.timeout = std::chrono::milliseconds(2000);
    download.max_attempts = 3;
    return download;
  }

  std::string content() const {
    auto text = base::read_file(folder_ / "model.gguf", 1 << 20);
    return text ? *text : "";
  }
  fs::path partial() const { return folder_ / "model.gguf.partial"; }
  void leave_partial(const std::string& bytes) const {
    std::ofstream(partial(), std::ios::binary) << bytes;
  }

  // Serves the body with ranges, as a well-behaved server does.
  std::string ranged(const std::string& request) const {
    const std::string range = header(request, "Range");
    if (range.empty()) return ok(body_);
    const size_t from = std::stoul(range.substr(6));
    return fmt::format(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}\r\nContent-Length: "
        "{}\r\n\r\n{}",
        from, body_.size() - 1, body_.size(), body_.size() - from, body_.substr(from));
  }

  fs::path folder_;
  std::string body_;
};

TEST_F(DownloadTest, ArrivesWholeAndVerified) {
  TestServer server([&](const std::string&) { return ok(body_); });
  uint64_t last = 0;
  auto one = wanted(server.url("/model.gguf"));
  one.progress = [&](uint64_t done, std::optional<uint64_t> total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, body_.size());
    last = done;
  };
  const auto result = download(one);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->bytes, body_.size());
  EXPECT_EQ(last, body_.size());
  EXPECT_EQ(content(), body_);
  EXPECT_FALSE(fs::exists(partial()));
}

TEST_F(DownloadTest, GoesOnWhereAnEarlierPullStopped) {
  leave_partial(body_.substr(0, 100000));
  TestServer server([&](const std::string& request) { return ranged(request); });
  ASSERT_TRUE(download(wanted(server.url("/m"))));
  EXPECT_EQ(content(), body_);
  EXPECT_EQ(header(server.requests().at(0), "Range"), "bytes=100000-");
}

TEST_F(DownloadTest, GoesOnAfterAConnectionThatBreaksOff) {
  int n = 0;
  TestServer server([&](const std::string& request) {
    const std::string answer = ranged(request);
    return ++n < 5 ? answer.substr(0, std::min<size_t>(answer.size(), 70000)) : answer;
  });
  ASSERT_TRUE(download(wanted(server.url("/m"))));
  EXPECT_EQ(content(), body_);
  EXPECT_EQ(server.requests().size(), 5);
}

TEST_F(DownloadTest, AServerThatIgnoresTheRangeIsReadFromTheStart) {
  leave_partial(body_.substr(0, 1234));
  TestServer server([&](const std::string&) { return ok(body_); });
  ASSERT_TRUE(download(wanted(server.url("/m"))));
  EXPECT_EQ(content(), body_);
}

TEST_F(DownloadTest, AnotherRangeThanAskedForIsNotSplicedIn) {
  leave_partial(body_.substr(0, 1000));
  TestServer server([&](const std::string& request) {
    if (header(request, "Range").empty()) return ok(body_);
    return std::string("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 7-9/300000\r\n") +
           "Content-Length: 3\r\n\r\nabc";
  });
  ASSERT_TRUE(download(wanted(server.url("/m"))));
  EXPECT_EQ(content(), body_);
}

TEST_F(DownloadTest, APartThatIsTooLongForTheServerIsDropped) {
  leave_partial(body_ + "more");
  TestServer server([&](const std::string& request) {
    if (header(request, "Range").empty()) return ok(body_);
    return std::string("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n");
  });
  ASSERT_TRUE(download(wanted(server.url("/m"))));
  EXPECT_EQ(content(), body_);
}

TEST_F(DownloadTest, AWrongDigestIsRefusedAndNothingIsLeft) {
  std::string other = body_;
  other[1000] = static_cast<char>(other[1000] ^ 1);
  TestServer server([&](const std::string&) { return ok(other); });
  const auto result = download(wanted(server.url("/m")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kBadFormat);
  EXPECT_NE(result.error().message.find(digest_of(other)), std::string::npos);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(DownloadTest, ABodyThatNeverComesWholeFailsAndKeepsThePart) {
  TestServer server([&](const std::string& request) {
    return header(request, "Range").empty() ? ok(body_).substr(0, 50000)
                                            : std::string("HTTP/1.1 503 Busy\r\n\r\n");
  });
  const auto result = download(wanted(server.url("/m")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kIo);
  EXPECT_GT(fs::file_size(partial()), 40000);
  EXPECT_FALSE(fs::exists(folder_ / "model.gguf"));
}

TEST_F(DownloadTest, AMissingFileIsNotAskedForTwice) {
  TestServer server([](const std::string&) {
    return std::string("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
  });
  const auto result = download(wanted(server.url("/m")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(server.requests().size(), 1);
}

TEST_F(DownloadTest, RedirectionsAreFollowedAndCredentialsStayBehind) {
  TestServer storage([&](const std::string&) { return ok(body_); });
  TestServer server([&](const std::string&) {
    return "HTTP/1.1 302 Found\r\nLocation: " + storage.url("/there") +
           "\r\nContent-Length: 0\r\n\r\n";
  });
  auto one = wanted(server.url("/m"));
  one.bearer = "secret";
  ASSERT_TRUE(download(one));
  EXPECT_EQ(header(server.requests().at(0), "Authorization"), "Bearer secret");
  EXPECT_EQ(header(storage.requests().at(0), "Authorization"), "");
}

TEST_F(DownloadTest, ARedirectionLoopEnds) {
  TestServer server([](const std::string&) {
    return std::string("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
  });
  const auto result = download(wanted(server.url("/m")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(server.requests().size(), 11);
}

TEST_F(DownloadTest, MoreBytesThanExpectedAreRefused) {
  TestServer server([&](const std::string&) { return "HTTP/1.0 200 OK\r\n\r\n" + body_; });
  auto one = wanted(server.url("/m"));
  one.bytes = body_.size() - 1;
  const auto result = download(one);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kLimitExceeded);
}

TEST_F(DownloadTest, ASilentServerTimesOut) {
  TestServer server([](const std::string&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return std::string();
  });
  auto one = wanted(server.url("/m"));
  one.timeout = std::chrono::milliseconds(50);
  one.max_attempts = 1;
  const auto result = download(one);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("in time"), std::string::npos) << result.error().message;
}

TEST_F(DownloadTest, TextHasALimit) {
  TestServer server([&](const std::string&) { return ok(body_); });
  const Url url = *parse_url(server.url("/list"));
  EXPECT_EQ(download_text(url, "", 1 << 20).value(), body_);
  EXPECT_EQ(download_text(url, "", 1000).error().code, ErrorCode::kLimitExceeded);
}

}  // namespace
}  // namespace freehold::app
