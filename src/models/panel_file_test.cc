#include "models/panel_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace freehold::models {
namespace {

namespace fs = std::filesystem;

class PanelFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("panel_file_test." + std::to_string(::getpid()));
    fs::create_directories(root_);
    write_source("model", "the weights of a model");
    panels_.resize(40 << 20);  // three checksums
    for (size_t i = 0; i < panels_.size(); ++i) panels_[i] = static_cast<std::byte>(i * 2654435761);
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path folder() const { return root_ / "panels"; }
  void write_source(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }
  PanelFile locate(const std::string& name = "model", uint64_t layout = 7) {
    const fs::path source = root_ / name;
    return *PanelFile::locate(folder(), {&source, 1}, layout, panels_.size(), pool_);
  }
  // Gives them where they lie, or in pieces as from many places.
  base::Status write(const PanelFile& file, bool in_pieces = false) {
    return file.write(
        [&](uint64_t at, std::span<std::byte> scratch) -> std::span<const std::byte> {
          if (!in_pieces) return std::span(panels_).subspan(at, scratch.size());
          std::copy_n(panels_.begin() + static_cast<std::ptrdiff_t>(at), scratch.size(),
                      scratch.begin());
          return scratch;
        },
        pool_);
  }
  bool maps(const PanelFile& file) {
    const auto memory = file.map(pool_);
    return memory && std::equal(panels_.begin(), panels_.end(), memory->data());
  }
  void flip_byte(const fs::path& path, uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
  }

  fs::path root_;
  std::vector<std::byte> panels_;
  base::ThreadPool pool_{2};
};

TEST_F(PanelFileTest, WhatWasWrittenIsMapped) {
  const PanelFile file = locate();
  EXPECT_FALSE(maps(file));
  ASSERT_TRUE(write(file));
  EXPECT_TRUE(maps(file));
  EXPECT_TRUE(maps(locate()));
  ASSERT_TRUE(write(file, true));
  EXPECT_TRUE(maps(file));
  const auto memory = file.map(pool_);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % WeightMemory::kAlignment, 0);
}

TEST_F(PanelFileTest, BelongsToTheContentAndTheLayout) {
  ASSERT_TRUE(write(locate()));
  EXPECT_FALSE(maps(locate("model", 8)));
  write_source("copy", "the weights of a model");
  EXPECT_TRUE(maps(locate("copy")));
  write_source("model", "the weights of a modem");
  EXPECT_FALSE(maps(locate()));
}

TEST_F(PanelFileTest, DamageAnywhereIsSeen) {
  const PanelFile file = locate();
  ASSERT_TRUE(write(file));
  const uint64_t size = fs::file_size(file.path());
  for (const uint64_t at : {uint64_t{0}, uint64_t{20}, uint64_t{60}, WeightMemory::kAlignment,
                            WeightMemory::kAlignment + (17 << 20), size - 1}) {
    flip_byte(file.path(), at);
    EXPECT_FALSE(file.map(pool_)) << at;
    flip_byte(file.path(), at);
    EXPECT_TRUE(maps(file)) << at;
  }
  fs::resize_file(file.path(), size - 1);
  EXPECT_FALSE(file.map(pool_));
  fs::resize_file(file.path(), 0);
  EXPECT_FALSE(file.map(pool_));
  ASSERT_TRUE(write(file));
  EXPECT_TRUE(maps(file));
}

TEST_F(PanelFileTest, ForgettingDeletesWhatIsKeptOfAModel) {
  write_source("other", "another model");
  ASSERT_TRUE(write(locate()));
  ASSERT_TRUE(write(locate("other")));
  const fs::path source = root_ / "model";
  PanelFile::forget(folder(), {&source, 1});
  EXPECT_FALSE(fs::exists(locate().path()));
  EXPECT_TRUE(maps(locate("other")));
}

TEST_F(PanelFileTest, AFolderThatCannotBeIsAnError) {
  write_source("panels", "in the way");
  const fs::path source = root_ / "model";
  const auto file = PanelFile::locate(folder(), {&source, 1}, 7, panels_.size(), pool_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, base::ErrorCode::kIo);
}

TEST_F(PanelFileTest, WhatNobodyUsedForLongIsDeleted) {
  const PanelFile old = locate("model", 1);
  ASSERT_TRUE(write(old));
  fs::last_write_time(old.path(), fs::file_time_type::clock::now() - std::chrono::hours(24 * 90));
  ASSERT_TRUE(write(locate("model", 2)));
  EXPECT_FALSE(fs::exists(old.path()));
  EXPECT_TRUE(maps(locate("model", 2)));
}

}  // namespace
}  // namespace freehold::models
