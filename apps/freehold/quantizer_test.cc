#include "quantizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>

#include "base/random.h"
#include "gguf/writer.h"
#include "quant/decode.h"

namespace freehold::app {
namespace {

using quant::Type;

class QuantizerTest : public testing::Test {
 protected:
  QuantizerTest() {
    folder_ = std::filesystem::temp_directory_path() /
              ("freehold-quantizer-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~QuantizerTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  struct Source {
    std::string name;
    std::vector<uint64_t> shape;
    std::vector<float> values;
  };

  // Two layers 256 wide, with values like weights.
  static std::vector<Source> sources() {
    std::vector<Source> out;
    const auto add = [&](std::string name, std::vector<uint64_t> shape) {
      uint64_t n = 1;
      for (const uint64_t dim : shape) n *= dim;
      std::vector<float> values(n);
      for (uint64_t i = 0; i < n; ++i) {
        values[i] = static_cast<float>(base::random_uniform(out.size(), i) +
                                       base::random_uniform(out.size(), i, 1) - 1.0);
      }
      out.push_back({std::move(name), std::move(shape), std::move(values)});
    };
    add("token_embd.weight", {256, 40});
    add("output.weight", {256, 40});
    add("output_norm.weight", {256});
    for (const std::string layer : {"blk.0.", "blk.1."}) {
      add(layer + "attn_v.weight", {256, 24});
      add(layer + "attn_v.bias", {24});
      add(layer + "ffn_gate_inp.weight", {256, 4});
      add(layer + "ffn_up_exps.weight", {256, 8, 4});
      add(layer + "attn_k_b.weight", {16, 256, 2});
    }
    return out;
  }

  std::filesystem::path write(const std::vector<Source>& tensors) {
    gguf::Metadata metadata;
    metadata.set("general.architecture", {std::string_view("llama")});
    metadata.set("llama.block_count", {uint64_t{2}});
    metadata.set("llama.expert_count", {uint64_t{4}});
    metadata.set("llama.rope.freq_base", {5e5});
    metadata.set("split.no", {uint64_t{0}});
    std::vector<gguf::TensorPlan> plan;
    for (const Source& tensor : tensors) plan.push_back({tensor.name, Type::kF32, tensor.shape});
    const auto path = folder_ / "source.gguf";
    auto writer = gguf::Writer::create(path, metadata, plan);
    EXPECT_TRUE(writer.has_value());
    for (const Source& tensor : tensors) {
      EXPECT_TRUE(writer->append(std::as_bytes(std::span(tensor.values))));
    }
    EXPECT_TRUE(writer->finish());
    return path;
  }

  base::Result<QuantizeResult> quantize(const std::filesystem::path& from, const std::string& to,
                                        QuantizeJob job, int threads = 2) {
    const auto model = gguf::Directory::open(from);
    EXPECT_TRUE(model.has_value());
    base::ThreadPool pool(threads);
    return quantize_model(*model, folder_ / to, job, pool);
  }

  std::string bytes(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path folder_;
};

TEST_F(QuantizerTest, WritesAModelOfTheTypesPlanned) {
  const auto tensors = sources();
  const auto source = write(tensors);
  uint64_t told = 0;
  const auto result =
      quantize(source, "q.gguf", {quant::Mix::kQ4_K_M, false, [&](uint64_t done) { told = done; }});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  const auto model = gguf::Directory::open(folder_ / "q.gguf");
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(told, result->source_bytes);
  EXPECT_EQ(result->bytes, model->total_bytes());
  const gguf::Metadata& metadata = model->metadata();
  EXPECT_EQ(metadata.unsigned_integer("general.file_type").value(), 15U);
  EXPECT_EQ(metadata.unsigned_integer("general.quantization_version").value(), 2U);
  EXPECT_EQ(metadata.number("llama.rope.freq_base").value(), 5e5);
  EXPECT_EQ(metadata.find("split.no"), nullptr);
  EXPECT_EQ(model->find("token_embd.weight")->type, Type::kQ4_K);
  EXPECT_EQ(model->find("output.weight")->type, Type::kQ6_K);
  EXPECT_EQ(model->find("output_norm.weight")->type, Type::kF32);
  EXPECT_EQ(model->find("blk.0.ffn_gate_inp.weight")->type, Type::kF32);
  EXPECT_EQ(model->find("blk.1.attn_v.weight")->type, Type::kQ6_K);
  EXPECT_EQ(model->find("blk.0.attn_k_b.weight")->type, Type::kF16);
  for (const Source& tensor : tensors) {
    const gguf::Tensor* written = model->find(tensor.name);
    ASSERT_NE(written, nullptr) << tensor.name;
    std::vector<float> values(tensor.values.size());
    quant::decode_row(written->type, written->data.data(), values.size(), values.data());
    double error = 0, size = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      error += std::pow(values[i] - tensor.values[i], 2);
      size += std::pow(tensor.values[i], 2);
    }
    EXPECT_LE(error, 0.006 * size) << tensor.name;
    if (written->type == Type::kF32) {
      EXPECT_EQ(values, tensor.values) << tensor.name;
    }
  }
}

TEST_F(QuantizerTest, BytesDoNotDependOnThreads) {
  const auto source = write(sources());
  ASSERT_TRUE(quantize(source, "one.gguf", {quant::Mix::kQ5_K_M, false, {}}, 1));
  ASSERT_TRUE(quantize(source, "three.gguf", {quant::Mix::kQ5_K_M, false, {}}, 3));
  EXPECT_EQ(bytes("one.gguf"), bytes("three.gguf"));
}

TEST_F(QuantizerTest, QuantisedSourcesAreTakenOnlyWhenTold) {
  const auto source = write(sources());
  ASSERT_TRUE(quantize(source, "q8.gguf", {quant::Mix::kQ8_0, false, {}}));
  const auto refused = quantize(folder_ / "q8.gguf", "q4.gguf", {quant::Mix::kQ4_0, false, {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("token_embd.weight is Q8_0 already"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "q4.gguf"));
  EXPECT_TRUE(quantize(folder_ / "q8.gguf", "q4.gguf", {quant::Mix::kQ4_0, true, {}}));
  // What has its type already is copied, bit for bit.
  ASSERT_TRUE(quantize(folder_ / "q8.gguf", "again.gguf", {quant::Mix::kQ8_0, false, {}}));
  EXPECT_EQ(bytes("q8.gguf"), bytes("again.gguf"));
}

TEST_F(QuantizerTest, PublishedMxfp4IsKept) {
  ASSERT_TRUE(quantize(write(sources()), "mx.gguf", {quant::Mix::kMXFP4, true, {}}));
  const auto kept = quantize(folder_ / "mx.gguf", "kept.gguf", {quant::Mix::kMXFP4, false, {}});
  ASSERT_TRUE(kept.has_value()) << kept.error().message;
  EXPECT_EQ(bytes("mx.gguf"), bytes("kept.gguf"));
  const auto model = gguf::Directory::open(folder_ / "kept.gguf");
  EXPECT_EQ(model->find("blk.0.ffn_up_exps.weight")->type, Type::kMXFP4);
  const auto refused = quantize(folder_ / "mx.gguf", "q4.gguf", {quant::Mix::kQ4_0, false, {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message.find("_exps"), std::string::npos);  // of the Q8_0 ones
}

TEST_F(QuantizerTest, BadWeightsAreRefusedByName) {
  auto tensors = sources();
  tensors[3].values[256 * 5 + 7] = std::numeric_limits<float>::quiet_NaN();
  const auto nan = quantize(write(tensors), "nan.gguf", {quant::Mix::kQ4_K_M, false, {}});
  ASSERT_FALSE(nan.has_value());
  EXPECT_EQ(nan.error().code, base::ErrorCode::kBadFormat);
  EXPECT_NE(nan.error().message.find("blk.0.attn_v.weight row 5 column 7"), std::string::npos)
      << nan.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "nan.gguf"));

  tensors[3].values[256 * 5 + 7] = -1e6F;
  const auto source = write(tensors);
  const auto large = quantize(source, "large.gguf", {quant::Mix::kQ4_K_M, false, {}});
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code, base::ErrorCode::kUnsupported);
  EXPECT_TRUE(quantize(source, "large.gguf", {quant::Mix::kBF16, false, {}}));
}

}  // namespace
}  // namespace freehold::app
