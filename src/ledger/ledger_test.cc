// The ledger's promises: keys only as hashes, usage exactly once, nothing lost to kill -9.
#include "ledger/ledger.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <random>
#include <thread>

#include "ledger/database.h"
#include "ledger/secret.h"

namespace freehold::ledger {
namespace {

class LedgerTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("freehold-ledger-" + std::to_string(getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file() const { return folder_ / "ledger.db"; }
  std::unique_ptr<Ledger> open(Ledger::Role role = Ledger::Role::kServer) const {
    auto ledger = Ledger::open(file(), role);
    EXPECT_TRUE(ledger.has_value()) << ledger.error().message;
    return std::move(*ledger);
  }
  static bool settle(Ledger& ledger, const std::string& id, uint32_t completion) {
    std::promise<bool> durable;
    UsageEnd end{.prompt_tokens = 10, .completion_tokens = completion, .finish = "stop"};
    ledger.settle(id, end, [&](bool ok) { durable.set_value(ok); });
    return durable.get_future().get();
  }
  static bool begin(Ledger& ledger, const std::string& id, const std::string& key_id = "") {
    std::promise<bool> durable;
    ledger.begin({.request_id = id,
                  .key_id = key_id,
                  .key_name = "k",
                  .model = "m",
                  .route = "/v1/chat/completions",
                  .prompt_tokens = 10},
                 [&](bool ok) { durable.set_value(ok); });
    return durable.get_future().get();
  }
  std::filesystem::path folder_;
};

TEST_F(LedgerTest, KeyOpensOnlyWithItsSecret) {
  auto ledger = open();
  EXPECT_FALSE(*ledger->has_keys());
  auto added = ledger->add_key({.name = "plant",
                                .owner = "Ada",
                                .models = {"a", "b"},
                                .limits = {.requests_per_minute = 7}});
  ASSERT_TRUE(added.has_value()) << added.error().message;
  EXPECT_TRUE(*ledger->has_keys());
  const auto found = ledger->find_key(added->secret);
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->name, "plant");
  EXPECT_EQ((*found)->models, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ((*found)->limits.requests_per_minute, 7U);
  std::string wrong = added->secret;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  for (const std::string& text : {wrong, std::string(), std::string("fh-"), added->key.id}) {
    EXPECT_FALSE(ledger->find_key(text)->has_value()) << text;
  }
  EXPECT_TRUE(ledger->revoke_key("plant").has_value());
  EXPECT_FALSE(ledger->find_key(added->secret)->has_value());
  EXPECT_EQ(ledger->revoke_key("other").error().code, base::ErrorCode::kNotFound);
}

TEST_F(LedgerTest, FileHoldsNoSecret) {
  std::string secret;
  {
    auto ledger = open();
    secret = ledger->add_key({.name = "plant"})->secret;
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(bytes.find(secret.substr(16)), std::string::npos) << entry.path();
  }
}

TEST_F(LedgerTest, NamesAreChecked) {
  auto ledger = open();
  for (const char* name : {"", "a b", "../x", "a\nb"}) {
    EXPECT_EQ(ledger->add_key({.name = name}).error().code, base::ErrorCode::kInvalidArgument);
  }
  ASSERT_TRUE(ledger->add_key({.name = "one"}).has_value());
  const auto again = ledger->add_key({.name = "one"});
  ASSERT_FALSE(again.has_value());
  EXPECT_NE(again.error().message.find("taken"), std::string::npos);
}

TEST_F(LedgerTest, SettlesOnce) {
  auto ledger = open();
  const auto key = ledger->add_key({.name = "k"});
  ASSERT_TRUE(begin(*ledger, "r1", key->key.id));
  ASSERT_TRUE(settle(*ledger, "r1", 5));
  ASSERT_TRUE(settle(*ledger, "r1", 500));
  const auto rows = ledger->usage({.by = {"key", "model"}});
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front().group, (std::vector<std::string>{"k", "m"}));
  EXPECT_EQ(rows->front().completion_tokens, 5U);
  EXPECT_EQ(ledger->list_keys()->front().spent_tokens, 15U);
  EXPECT_EQ(ledger->usage({.by = {"password"}}).error().code, base::ErrorCode::kInvalidArgument);
}

TEST_F(LedgerTest, DeadProcessIsBilledByItsLastMarkOnce) {
  {
    auto ledger = open();
    const auto key = ledger->add_key({.name = "k"});
    ASSERT_TRUE(begin(*ledger, "r1", key->key.id));
    ledger->progress("r1", 4);
    ASSERT_TRUE(begin(*ledger, "r2"));  // ordered behind the mark
  }
  {  // A command beside the server leaves its running requests alone.
    auto tool = open(Ledger::Role::kTool);
    EXPECT_TRUE(tool->usage({})->front().requests == 0);
  }
  for (int opened = 0; opened < 2; ++opened) {
    auto ledger = open();
    const auto rows = ledger->usage({.by = {"finish"}});
    ASSERT_EQ(rows->size(), 1U);
    EXPECT_EQ(rows->front().group.front(), "interrupted");
    EXPECT_EQ(rows->front().requests, 2U);
    EXPECT_EQ(rows->front().completion_tokens, 4U);
    EXPECT_EQ(ledger->list_keys()->front().spent_tokens, 14U);
  }
}

TEST_F(LedgerTest, RefusesFilesThatAreNoLedger) {
  {
    std::ofstream out(file());
    out << "this is not a database, it only has the name of one, and it is long enough";
  }
  EXPECT_FALSE(Ledger::open(file(), Ledger::Role::kServer).has_value());
  EXPECT_FALSE(Ledger::open(folder_ / "no" / "such.db", Ledger::Role::kServer).has_value());
  std::filesystem::remove(file());
  {
    auto database = Database::open(file());
    ASSERT_TRUE(database->execute("PRAGMA user_version = 99").has_value());
  }
  const auto newer = Ledger::open(file(), Ledger::Role::kServer);
  ASSERT_FALSE(newer.has_value());
  EXPECT_EQ(newer.error().code, base::ErrorCode::kBadFormat);
}

// A child writes requests and tells through a pipe which settles were acknowledged; it is killed
// at a random moment. Every acknowledged one must be there, once, and the sums must agree.
TEST_F(LedgerTest, KilledWriterLosesNothingAcknowledged) {
  std::mt19937 random(7);
  size_t acknowledged = 0;
  std::string key_id;
  { key_id = open()->add_key({.name = "k"})->key.id; }
  for (int round = 0; round < 12; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto ledger = Ledger::open(file(), Ledger::Role::kServer);
      for (int i = 0;; ++i) {
        const std::string id = std::to_string(round) + "-" + std::to_string(i);
        if (!begin(**ledger, id, key_id) || !settle(**ledger, id, 3)) _exit(1);
        if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
      }
    }
    close(pipe_ends[1]);
    std::this_thread::sleep_for(std::chrono::milliseconds(30 + random() % 60));
    kill(child, SIGKILL);
    char byte = 0;
    while (read(pipe_ends[0], &byte, 1) == 1) ++acknowledged;
    close(pipe_ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  auto ledger = open();
  uint64_t settled = 0;
  uint64_t tokens = 0;
  const auto rows = ledger->usage({.by = {"finish"}});
  for (const auto& row : *rows) {
    if (row.group.front() == "stop") settled = row.requests;
    tokens += row.prompt_tokens + row.completion_tokens;
  }
  EXPECT_GT(acknowledged, 0U);
  EXPECT_GE(settled, acknowledged);
  EXPECT_LE(settled, acknowledged + 12);  // at most one a kill was durable but not yet told
  EXPECT_EQ(ledger->list_keys()->front().spent_tokens, tokens);
}

TEST_F(LedgerTest, ManyThreadsShareCommits) {
  auto ledger = open();
  std::atomic<int> durable{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          const std::string id = std::to_string(t) + "-" + std::to_string(i);
          ledger->begin({.request_id = id, .key_name = "k", .model = "m"}, {});
          ledger->settle(id, {.completion_tokens = 1, .finish = "stop"},
                         [&](bool ok) { durable += ok ? 1 : 0; });
        }
      });
    }
  }
  ledger.reset();  // writes what is queued
  EXPECT_EQ(durable.load(), 800);
  EXPECT_EQ(open()->usage({})->front().completion_tokens, 800U);
}

}  // namespace
}  // namespace freehold::ledger
