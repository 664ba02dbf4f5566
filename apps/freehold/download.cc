#include "download.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "http.h"
#include "sha256.h"

namespace freehold::app {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr int kMaxAttempts = 200;  // however much each of them brought

bool is_redirection(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Whether a later attempt may go better.
bool is_passing(int status) { return status == 408 || status == 429 || status >= 500; }

std::unexpected<base::Error> refused(const Url& url, int status) {
  const bool missing = status == 404 || status == 410;
  std::string remedy;
  if (status == 401 || status == 403) remedy = "; it may need a token (HF_TOKEN)";
  return fail(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
              fmt::format("{}: the server answers {}{}", url.text(), status, remedy));
}

// GET along redirections. `get.url` is the first address; credentials stay with its server.
Result<HttpHead> get_following(HttpGet get, const std::string& bearer, int max_redirections) {
  const Url first = get.url;
  const auto plain_headers = get.headers;
  const auto on_head = get.on_head;
  const auto on_body = get.on_body;
  for (int i = 0; i <= max_redirections; ++i) {
    get.headers = plain_headers;
    if (!bearer.empty() && get.url.same_server(first)) {
      get.headers.emplace_back("Authorization", "Bearer " + bearer);
    }
    bool moved = false;
    get.on_head = [&](const HttpHead& head) -> Status {
      moved = is_redirection(head.status);
      return moved ? Status{} : on_head(head);
    };
    get.on_body = [&](std::span<const std::byte> piece) -> Status {
      return moved ? Status{} : on_body(piece);
    };
    auto head = http_get(get);
    if (!head || !moved) return head;
    auto next = resolve_url(get.url, head->location);
    if (!next) return base::in_context(get.url.text() + ": redirection", next.error());
    if (get.url.tls && !next->tls) {
      return fail(ErrorCode::kIo, get.url.text() + ": redirects from https to http");
    }
    get.url = std::move(*next);
  }
  return fail(ErrorCode::kLimitExceeded,
              fmt::format("{}: more than {} redirections", first.text(), max_redirections));
}

// The partial file: its descriptor, its length and the digest of what it holds.
class Partial {
 public:
  explicit Partial(fs::path path) : path_(std::move(path)) {}
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;
  ~Partial() {
    if (fd_ >= 0) ::close(fd_);
  }

  // With `keep`, goes on after what is there already.
  Status open(bool keep) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) return system_error("create");
    if (!keep) return restart();
    FREEHOLD_TRY(digest_file(path_, digest_));
    const off_t end = ::lseek(fd_, 0, SEEK_END);
    if (end < 0) return system_error("read");
    bytes_ = static_cast<uint64_t>(end);
    return {};
  }

  Status restart() {
    if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0) return system_error("empty");
    bytes_ = 0;
    digest_ = Sha256();
    return {};
  }

  Status append(std::span<const std::byte> piece) {
    digest_.update(piece);
    bytes_ += piece.size();
    while (!piece.empty()) {
      const ssize_t n = ::write(fd_, piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error("write");
      piece = piece.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  Status move_to(const fs::path& destination) {
    if (::fsync(fd_) != 0) return system_error("flush");
    if (::rename(path_.c_str(), destination.c_str()) != 0) return system_error("rename");
    return {};
  }

  uint64_t bytes() const { return bytes_; }
  std::string hex() { return digest_.hex(); }
  const fs::path& path() const { return path_; }

 private:
  std::unexpected<base::Error> system_error(const char* action) const {
    return fail(ErrorCode::kIo,
                fmt::format("{}: cannot {}: {}", path_.string(), action, std::strerror(errno)));
  }

  fs::path path_;
  int fd_ = -1;
  uint64_t bytes_ = 0;
  Sha256 digest_;
};

// One download in the making.
class Transfer {
 public:
  Transfer(const Download& wanted, Partial& partial) : wanted_(wanted), partial_(partial) {}

  // Gets what is missing. `final_` afterwards says that trying again is of no use.
  Status attempt() {
    HttpGet get;
    get.url = wanted_.url;
    get.timeout = wanted_.timeout;
    const uint64_t from = partial_.bytes();
    if (from > 0) get.headers.emplace_back("Range", fmt::format("bytes={}-", from));
    if (from > 0 && !etag_.empty()) get.headers.emplace_back("If-Range", etag_);
    get.on_head = [this](const HttpHead& head) { return begin(head); };
    get.on_body = [this](std::span<const std::byte> piece) { return take(piece); };
    const auto head = get_following(get, wanted_.bearer, wanted_.max_redirections);
    if (head) return {};
    final_ = final_ || head.error().code == ErrorCode::kLimitExceeded;
    return std::unexpected(head.error());
  }

  bool is_final() const { return final_; }
  std::optional<uint64_t> total() const { return total_; }

 private:
  Status begin(const HttpHead& head) {
    const uint64_t from = partial_.bytes();
    if (head.status == 416 && from > 0) {  // the partial file is of something else
      FREEHOLD_TRY(partial_.restart());
      return fail(ErrorCode::kIo, wanted_.url.text() + ": cannot be resumed");
    }
    if (head.status != 200 && head.status != 206) {
      final_ = !is_passing(head.status);
      return refused(wanted_.url, head.status);
    }
    // A server may ignore the range, or send another: only what fits is appended.
    const bool resumed = head.status == 206 && head.range_start == from;
    if (!resumed && from > 0) FREEHOLD_TRY(partial_.restart());
    if (head.status == 206 && !resumed) {
      return fail(ErrorCode::kIo, wanted_.url.text() + ": sends another range than asked for");
    }
    etag_ = head.etag.starts_with("W/") ? "" : head.etag;
    total_ = wanted_.bytes;
    if (!total_ && head.content_length) total_ = partial_.bytes() + *head.content_length;
    return check_room();
  }

  Status check_room() {
    if (!total_) return {};
    if (*total_ > wanted_.limit_bytes) return too_long(*total_);
    std::error_code error;
    const auto space = fs::space(wanted_.destination.parent_path(), error);
    const uint64_t missing = *total_ - std::min(*total_, partial_.bytes());
    if (error || space.available >= missing) return {};
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("{}: {} bytes are missing and the disk has {} left",
                            wanted_.destination.string(), missing, space.available));
  }

  Status take(std::span<const std::byte> piece) {
    const uint64_t bytes = partial_.bytes() + piece.size();
    if (bytes > wanted_.limit_bytes || (wanted_.bytes && bytes > *wanted_.bytes)) {
      return too_long(bytes);
    }
    FREEHOLD_TRY(partial_.append(piece));
    if (wanted_.progress) wanted_.progress(partial_.bytes(), total_);
    return {};
  }

  std::unexpected<base::Error> too_long(uint64_t bytes) {
    final_ = true;
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("{}: {} bytes, more than the {} expected", wanted_.url.text(), bytes,
                            wanted_.bytes.value_or(wanted_.limit_bytes)));
  }

  const Download& wanted_;
  Partial& partial_;
  std::optional<uint64_t> total_;
  std::string etag_;
  bool final_ = false;
};

Status transfer(const Download& wanted, Partial& partial) {
  Transfer transfer(wanted, partial);
  auto pause = wanted.pause;
  int fruitless = 0;
  for (int attempts_left = kMaxAttempts;; --attempts_left) {
    if (wanted.bytes && partial.bytes() == *wanted.bytes) return {};
    const uint64_t before = partial.bytes();
    const Status status = transfer.attempt();
    if (status || transfer.is_final()) return status;
    if (partial.bytes() > before) {
      fruitless = 0;
      pause = wanted.pause;
    }
    if (++fruitless >= wanted.max_attempts || attempts_left <= 1) return status;
    spdlog::warn("{}; trying again", status.error().message);
    std::this_thread::sleep_for(pause);
    pause *= 2;
  }
}

}  // namespace

Result<Downloaded> download(const Download& wanted) {
  fs::path path = wanted.destination;
  path += ".partial";
  Partial partial(path);
  // Without a digest nothing would tell whether an older part belongs to the same file.
  FREEHOLD_TRY(partial.open(!wanted.sha256.empty()));
  if (wanted.bytes && partial.bytes() > *wanted.bytes) FREEHOLD_TRY(partial.restart());
  FREEHOLD_TRY(transfer(wanted, partial));
  Downloaded result{partial.bytes(), partial.hex()};
  std::string wrong;
  if (wanted.bytes && result.bytes != *wanted.bytes) {
    wrong = fmt::format("{} bytes, expected {}", result.bytes, *wanted.bytes);
  } else if (!wanted.sha256.empty() && result.sha256 != wanted.sha256) {
    wrong = fmt::format("SHA-256 is {}, expected {}", result.sha256, wanted.sha256);
  }
  if (!wrong.empty()) {
    std::error_code ignored;
    fs::remove(path, ignored);
    return fail(ErrorCode::kBadFormat,
                fmt::format("{}: {}; what arrived was deleted", wanted.url.text(), wrong));
  }
  FREEHOLD_TRY(partial.move_to(wanted.destination));
  return result;
}

Result<std::string> download_text(const Url& url, const std::string& bearer, uint64_t limit_bytes) {
  std::string text;
  HttpGet get;
  get.url = url;
  get.on_head = [&](const HttpHead& head) -> Status {
    if (head.status != 200) return refused(url, head.status);
    return {};
  };
  get.on_body = [&](std::span<const std::byte> piece) -> Status {
    if (piece.size() > limit_bytes - text.size()) {
      return fail(ErrorCode::kLimitExceeded,
                  fmt::format("{}: more than {} bytes", url.text(), limit_bytes));
    }
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  };
  const auto head = get_following(get, bearer, 10);
  if (!head) return std::unexpected(head.error());
  return text;
}

}  // namespace freehold::app
