#include "quant/mix.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace freehold::quant {
namespace {

struct Model {
  std::string name;
  MixModel facts;
  std::vector<std::string> mixes;
  std::vector<std::string> names;
  std::vector<MixTensor> tensors;
  std::vector<std::vector<std::string>> types;  // by tensor, then by mix
};

std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '\t');) out.push_back(field);
  return out;
}

std::vector<Model> golden_models() {
  std::vector<Model> out;
  std::ifstream file(FREEHOLD_TEST_DATA "/mix/llamacpp.tsv");
  for (std::string line; std::getline(file, line);) {
    const auto f = fields(line);
    if (f[0] == "model") {
      Model model;
      model.name = f[1];
      model.facts = {std::stoull(f[2]), std::stoull(f[3]), std::stoull(f[4]), std::stoull(f[5])};
      model.mixes.assign(f.begin() + 6, f.end());
      out.push_back(model);
      continue;
    }
    Model& model = out.back();
    model.names.push_back(f[0]);
    model.tensors.push_back({"", type_from_name(f[1]).value(), std::stoull(f[2]),
                             static_cast<uint32_t>(std::stoul(f[3])), f[4] == "1"});
    model.types.emplace_back(f.begin() + 5, f.end());
  }
  for (Model& model : out) {
    for (size_t t = 0; t < model.names.size(); ++t) model.tensors[t].name = model.names[t];
  }
  return out;
}

TEST(Mix, ChoosesWhatThePeerChooses) {
  const auto models = golden_models();
  ASSERT_EQ(models.size(), 8U);
  for (const Model& model : models) {
    for (size_t m = 0; m < model.mixes.size(); ++m) {
      const Mix mix = mix_from_name(model.mixes[m]).value();
      const auto types = choose_types(mix, model.facts, model.tensors);
      for (size_t t = 0; t < types.size(); ++t) {
        // Of all stacks, we give only experts to MXFP4: not the projections of MLA.
        const std::string& name = model.names[t];
        const bool mla = name.find("attn_k_b") != name.npos || name.find("attn_v_b") != name.npos;
        if (mix == Mix::kMXFP4 && mla) {
          EXPECT_NE(types[t], Type::kMXFP4) << name;
          continue;
        }
        EXPECT_EQ(info(types[t]).name, model.types[t][m])
            << model.name << " " << model.mixes[m] << " " << name;
      }
    }
  }
}

TEST(Mix, Names) {
  EXPECT_EQ(mix_from_name("q4_k_m"), Mix::kQ4_K_M);
  EXPECT_EQ(mix_from_name("MXFP4"), Mix::kMXFP4);
  EXPECT_FALSE(mix_from_name("Q4"));
  EXPECT_FALSE(mix_from_name("Q4_K_MM"));
  EXPECT_NE(mix_names().find("Q5_K_M, "), std::string_view::npos);
}

TEST(Mix, VectorsAndRoutersBecomeF32) {
  const std::vector<MixTensor> tensors = {
      {"output_norm.weight", Type::kBF16, 64, 1, false},
      {"blk.0.ffn_gate_inp.weight", Type::kBF16, 64, 2, false},
      {"blk.0.ffn_gate_tid2eid.weight", Type::kI32, 4, 2, false},
      {"blk.0.attn_q.weight", Type::kBF16, 64, 2, false},
      {"blk.0.attn_k.weight", Type::kBF16, 33, 2, false},
  };
  const auto types = choose_types(Mix::kQ8_0, {1, 2, 2, 0}, tensors);
  EXPECT_EQ(types,
            (std::vector<Type>{Type::kF32, Type::kF32, Type::kI32, Type::kQ8_0, Type::kF16}));
  const auto floats = choose_types(Mix::kBF16, {1, 2, 2, 0}, tensors);
  EXPECT_EQ(floats,
            (std::vector<Type>{Type::kF32, Type::kF32, Type::kI32, Type::kBF16, Type::kBF16}));
}

}  // namespace
}  // namespace freehold::quant
