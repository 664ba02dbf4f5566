// Many models in a budget of memory: loaded when they are asked for, unloaded by least use, never
// under somebody's hands.
#include "server/model_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "server/fake_model.h"

namespace freehold::server {
namespace {

constexpr uint64_t kEach = 100;

class Pool : public testing::Test {
 protected:
  // Models a, b, c, ... of 100 bytes each.
  void open(uint64_t budget, int n_models) {
    pool_ = std::make_unique<ModelPool>(budget);
    std::vector<ModelPool::Source> sources;
    for (int i = 0; i < n_models; ++i)
      sources.push_back(source(std::string(1, static_cast<char>('a' + i))));
    pool_->set_sources(std::move(sources));
  }
  ModelPool::Source source(const std::string& name) {
    return {name, kEach, [this]() -> base::Result<std::shared_ptr<Model>> {
              ++n_loads_;
              if (broken_) return base::fail(base::ErrorCode::kIo, "/secret/path is gone");
              return std::make_shared<FakeModel>(FakeOptions{});
            }};
  }
  std::string loaded() {
    std::string names;
    for (const auto& [name, model] : pool_->loaded()) names += name;
    return names;
  }

  std::unique_ptr<ModelPool> pool_;
  std::atomic<int> n_loads_{0};
  bool broken_ = false;
};

TEST_F(Pool, LoadsOnDemandAndUnloadsTheLeastUsed) {
  open(2 * kEach, 3);
  EXPECT_EQ(loaded(), "");
  EXPECT_TRUE(pool_->acquire("a").has_value());
  EXPECT_TRUE(pool_->acquire("b").has_value());
  EXPECT_TRUE(pool_->acquire("a").has_value());
  EXPECT_EQ(n_loads_, 2);
  EXPECT_TRUE(pool_->acquire("c").has_value());
  EXPECT_EQ(loaded(), "ac") << "b was used least lately";
  EXPECT_TRUE(pool_->acquire("b").has_value());
  EXPECT_EQ(loaded(), "bc");
  EXPECT_EQ(n_loads_, 4);
}

TEST_F(Pool, ModelsInUseStayAndTheBudgetHolds) {
  open(2 * kEach, 3);
  auto a = *pool_->acquire("a");
  auto b = *pool_->acquire("b");
  const auto refused = pool_->acquire("c");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ApiError::Kind::kOverloaded);
  EXPECT_GE(refused.error().retry_after_s, 1U);
  EXPECT_EQ(loaded(), "ab");
  b.reset();
  EXPECT_TRUE(pool_->acquire("c").has_value());
  EXPECT_EQ(loaded(), "ac");
}

TEST_F(Pool, OneLargerThanTheBudgetIsLoadedAlone) {
  open(kEach / 2, 2);
  auto a = *pool_->acquire("a");
  EXPECT_FALSE(pool_->acquire("b").has_value());
  a.reset();
  EXPECT_TRUE(pool_->acquire("b").has_value());
  EXPECT_EQ(loaded(), "b");
}

TEST_F(Pool, UnknownNamesAreToldWhatThereIs) {
  open(0, 2);
  const auto none = pool_->acquire("z");
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().kind, ApiError::Kind::kNotFound);
  EXPECT_NE(none.error().message.find("a, b"), std::string::npos);
}

TEST_F(Pool, FailedLoadsSayNothingOfFilesAndCanBeTriedAgain) {
  open(0, 1);
  broken_ = true;
  const auto failed = pool_->acquire("a");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().message.find("secret"), std::string::npos);
  broken_ = false;
  EXPECT_TRUE(pool_->acquire("a").has_value());
}

TEST_F(Pool, ReloadedSourcesKeepWhatIsLoaded) {
  open(0, 2);
  const auto before = *pool_->acquire("a");
  pool_->set_sources({source("a"), source("n")});
  EXPECT_EQ(*pool_->acquire("a"), before);
  EXPECT_FALSE(pool_->acquire("b").has_value());
  EXPECT_TRUE(pool_->acquire("n").has_value());
  EXPECT_EQ(n_loads_, 2);
}

TEST_F(Pool, ManyAskersLoadOnce) {
  open(2 * kEach, 3);
  std::vector<std::thread> askers;
  std::atomic<int> n_answered{0};
  for (int t = 0; t < 8; ++t) {
    askers.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string name(1, static_cast<char>('a' + (t + i) % 3));
        if (pool_->acquire(name)) ++n_answered;
        EXPECT_LE(pool_->loaded().size(), 2U);
      }
    });
  }
  for (auto& asker : askers) asker.join();
  EXPECT_GT(n_answered, 0);
}

}  // namespace
}  // namespace freehold::server
