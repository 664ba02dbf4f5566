#!/usr/bin/env python3
"""Makes the second witness: small random models in the form their makers publish, and their logits.

For every family it writes a Hugging Face folder (config.json as published, weights by the published
names) and the logits that Hugging Face transformers computes for one prompt in F32 on the CPU with
plain attention. The weights have five significant bits, so they are exact in BF16 and compress.

    pip install torch transformers safetensors numpy
    tools/hf_reference.py OUT [NAME...]      # OUT: tests/data/witness
"""

import gzip
import json
import math
import pathlib
import shutil
import sys
import tempfile

import numpy
import torch
import transformers
from safetensors.torch import load_file, save_file

VOCABULARY = 320
PROMPT = [(i * i * 37 + i * 101 + 7) % VOCABULARY for i in range(48)]

BASE = dict(vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, intermediate_size=96, max_position_embeddings=512,
            hidden_act="silu", bos_token_id=1, eos_token_id=2, rms_norm_eps=1e-5,
            tie_word_embeddings=False, torch_dtype="bfloat16")
MLA = dict(num_key_value_heads=4, kv_lora_rank=48, qk_nope_head_dim=32, qk_rope_head_dim=16,
           v_head_dim=16, rms_norm_eps=1e-6, attention_bias=False, first_k_dense_replace=1,
           moe_intermediate_size=32, moe_layer_freq=1, rope_theta=10000)
YARN_V2 = dict(type="yarn", factor=40, original_max_position_embeddings=512, beta_fast=32,
               beta_slow=1, mscale=0.707, mscale_all_dim=0.707)
YARN_V3 = YARN_V2 | dict(mscale=1.0, mscale_all_dim=1.0)
V3 = MLA | dict(model_type="deepseek_v3", architectures=["DeepseekV3ForCausalLM"],
                q_lora_rank=48, n_routed_experts=16, num_experts_per_tok=3, n_shared_experts=1,
                n_group=4, topk_group=2, norm_topk_prob=True, routed_scaling_factor=2.5,
                scoring_func="sigmoid", topk_method="noaux_tc", num_nextn_predict_layers=0,
                rope_scaling=YARN_V3)
LLAMA4 = dict(num_hidden_layers=4, head_dim=16, intermediate_size=48, intermediate_size_mlp=96,
              num_local_experts=4, num_experts_per_tok=1, use_qk_norm=True, rope_theta=500000.0,
              attention_chunk_size=16, attn_temperature_tuning=True, floor_scale=8,
              attn_scale=0.1, no_rope_layers=[1, 1, 1, 0])
GPT_OSS = dict(model_type="gpt_oss", architectures=["GptOssForCausalLM"], head_dim=32,
               intermediate_size=64, num_local_experts=8, num_experts_per_tok=4,
               sliding_window=16, attention_bias=True, rope_theta=150000, swiglu_limit=7.0,
               layer_types=["sliding_attention", "full_attention"],
               rope_scaling=dict(rope_type="yarn", factor=32.0, beta_fast=32.0, beta_slow=1.0,
                                 original_max_position_embeddings=1024, truncate=False))

# What each family's config.json adds to BASE; None removes a member.
MODELS = {
    "llama": dict(model_type="llama", architectures=["LlamaForCausalLM"], rope_theta=500000.0,
                  rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                                    high_freq_factor=4.0, original_max_position_embeddings=32)),
    "llama-linear": dict(model_type="llama", architectures=["LlamaForCausalLM"],
                         tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
                         rope_theta=10000.0, rope_scaling=dict(type="linear", factor=4.0)),
    "mistral": dict(model_type="mistral", architectures=["MistralForCausalLM"], head_dim=32,
                    rope_theta=1000000.0, sliding_window=None),
    "smollm3": dict(model_type="smollm3", architectures=["SmolLM3ForCausalLM"],
                    num_hidden_layers=4, no_rope_layers=[1, 1, 1, 0], tie_word_embeddings=True,
                    rope_theta=5000000.0, rms_norm_eps=1e-6, use_sliding_window=False,
                    pad_token_id=2),
    "qwen2": dict(model_type="qwen2", architectures=["Qwen2ForCausalLM"], rms_norm_eps=1e-6,
                  rope_theta=1000000.0, use_sliding_window=False,
                  rope_scaling=dict(type="yarn", factor=4.0,
                                    original_max_position_embeddings=256)),
    "qwen3": dict(model_type="qwen3", architectures=["Qwen3ForCausalLM"], head_dim=32,
                  rms_norm_eps=1e-6, rope_theta=1000000.0, tie_word_embeddings=True,
                  use_sliding_window=False, attention_bias=False),
    "qwen2_moe": dict(model_type="qwen2_moe", architectures=["Qwen2MoeForCausalLM"],
                      rms_norm_eps=1e-6, rope_theta=1000000.0, num_experts=8,
                      num_experts_per_tok=3, moe_intermediate_size=32,
                      shared_expert_intermediate_size=48, norm_topk_prob=False,
                      decoder_sparse_step=1, mlp_only_layers=[], use_sliding_window=False),
    "qwen3_moe": dict(model_type="qwen3_moe", architectures=["Qwen3MoeForCausalLM"], head_dim=32,
                      rms_norm_eps=1e-6, rope_theta=10000000.0, num_experts=8,
                      num_experts_per_tok=3, moe_intermediate_size=32, norm_topk_prob=True,
                      decoder_sparse_step=1, mlp_only_layers=[], use_sliding_window=False,
                      attention_bias=False),
    "mixtral": dict(model_type="mixtral", architectures=["MixtralForCausalLM"],
                    rope_theta=1000000.0, num_local_experts=8, num_experts_per_tok=2,
                    intermediate_size=48, sliding_window=None),
    "deepseek_v2_lite": MLA | dict(
        model_type="deepseek_v2", architectures=["DeepseekV2ForCausalLM"], q_lora_rank=None,
        n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=2, n_group=1, topk_group=1,
        norm_topk_prob=False, routed_scaling_factor=1.0, scoring_func="softmax",
        topk_method="greedy", rope_scaling=YARN_V2),
    "deepseek_v2": MLA | dict(
        model_type="deepseek_v2", architectures=["DeepseekV2ForCausalLM"], q_lora_rank=48,
        n_routed_experts=16, num_experts_per_tok=3, n_shared_experts=2, n_group=4, topk_group=2,
        norm_topk_prob=False, routed_scaling_factor=16.0, scoring_func="softmax",
        topk_method="group_limited_greedy", rope_scaling=YARN_V2),
    "deepseek_v3": V3,
    # Wider than one 128 x 128 block of scales, with partial ones at the edges.
    "deepseek_v3_fp8": V3 | dict(
        hidden_size=160, intermediate_size=192, kv_lora_rank=64, n_routed_experts=8,
        num_experts_per_tok=2, n_group=2, topk_group=1,
        quantization_config=dict(activation_scheme="dynamic", fmt="e4m3", quant_method="fp8",
                                 weight_block_size=[128, 128])),
    "gpt_oss": GPT_OSS,
    "gpt_oss_mxfp4": GPT_OSS | dict(
        quantization_config=dict(quant_method="mxfp4",
                                 modules_to_not_convert=["model.layers.*.self_attn",
                                                         "model.layers.*.mlp.router",
                                                         "model.embed_tokens", "lm_head"])),
    "glm4_moe": dict(model_type="glm4_moe", architectures=["Glm4MoeForCausalLM"], head_dim=32,
                     partial_rotary_factor=0.5, attention_bias=True, use_qk_norm=True,
                     first_k_dense_replace=1, moe_intermediate_size=32, n_routed_experts=8,
                     num_experts_per_tok=3, n_shared_experts=1, n_group=1, topk_group=1,
                     norm_topk_prob=True, routed_scaling_factor=2.5, rope_theta=1000000,
                     num_nextn_predict_layers=0),
    # Scout's form: the text model nests under text_config and its tensors under language_model.
    "llama4": dict(model_type="llama4", architectures=["Llama4ForConditionalGeneration"],
                   text_config=BASE | LLAMA4 | dict(model_type="llama4_text",
                                                    interleave_moe_layer_step=1,
                                                    rope_scaling=dict(
                                                        rope_type="llama3", factor=16.0,
                                                        low_freq_factor=1.0, high_freq_factor=1.0,
                                                        original_max_position_embeddings=32))),
    # Maverick's layers: every second one has experts, no norm on queries and keys.
    "llama4_text": LLAMA4 | dict(model_type="llama4_text", architectures=["Llama4ForCausalLM"],
                                 interleave_moe_layer_step=2, use_qk_norm=False),
}


def five_bits(tensor):
    """Rounds to five significant bits: exact in BF16, and the file compresses."""
    fraction, exponent = torch.frexp(tensor)
    return torch.ldexp(torch.round(fraction * 32) / 32, exponent)


def randomise(model, experts_input_first):
    """Gives every weight a random value of a sensible size; none stays at a neutral default."""
    generator = torch.Generator().manual_seed(20260115)
    weights = dict(model.named_parameters()) | {
        name: buffer for name, buffer in model.named_buffers() if "correction_bias" in name}
    for name, weight in sorted(weights.items()):
        noise = torch.randn(weight.shape, generator=generator)
        if "correction_bias" in name:
            value = 0.1 * noise
        elif "norm" in name:
            value = 1 + 0.2 * noise
        elif name.endswith("bias") or name.endswith("_bias"):
            value = 0.3 * noise
        elif "sinks" in name or "embed_tokens" in name:
            value = noise
        elif "router" in name or name.endswith("gate.weight"):
            value = noise * 2 / math.sqrt(weight.shape[-1])
        else:
            inputs = weight.shape[1 if weight.dim() == 3 and experts_input_first else -1]
            value = noise * 1.3 / math.sqrt(inputs)
        weight.data.copy_(five_bits(value))


def published_tensors(model):
    """The tensors by the names of the published checkpoints (transformers maps them back)."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(folder + "/model.safetensors")


def to_fp8(tensors, model):
    """Block-scaled E4M3 for the layers' matrices, as DeepSeek ships; the model gets the values."""
    out = {}
    for name, tensor in tensors.items():
        is_matrix = name.endswith("proj.weight") or name.endswith("with_mqa.weight")
        if "layers" not in name or not is_matrix:
            out[name] = tensor.to(torch.float32 if "correction_bias" in name else torch.bfloat16)
            continue
        rows, columns = tensor.shape
        scale = torch.empty(-(-rows // 128), -(-columns // 128))
        packed = torch.empty(tensor.shape, dtype=torch.float8_e4m3fn)
        for r in range(scale.shape[0]):
            for c in range(scale.shape[1]):
                at = (slice(128 * r, 128 * r + 128), slice(128 * c, 128 * c + 128))
                scale[r, c] = tensor[at].abs().max() / 448
                packed[at] = (tensor[at] / scale[r, c]).to(torch.float8_e4m3fn)
                tensor[at] = packed[at].to(torch.float32) * scale[r, c]
        out[name] = packed
        out[name + "_scale_inv"] = scale
    reload(model, tensors)
    return out


def to_mxfp4(tensors, model):
    """MXFP4 experts, as OpenAI ships gpt-oss: blocks of 32 inputs, neighbours share a byte."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    levels = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    out = {}
    for name, tensor in tensors.items():
        if not name.endswith("experts.gate_up_proj") and not name.endswith("experts.down_proj"):
            out[name] = tensor.to(torch.bfloat16)
            continue
        groups = tensor.transpose(1, 2).reshape(tensor.shape[0], tensor.shape[2], -1, 32)
        exponent = torch.floor(torch.log2(groups.abs().amax(-1))) - 2
        scaled = groups / torch.exp2(exponent)[..., None]
        codes = (scaled.abs()[..., None] - levels).abs().argmin(-1) + 8 * (scaled < 0)
        out[name + "_blocks"] = (codes[..., 0::2] + 16 * codes[..., 1::2]).to(torch.uint8)
        out[name + "_scales"] = (exponent + 127).to(torch.uint8)
        tensor.copy_(convert_moe_packed_tensors(out[name + "_blocks"], out[name + "_scales"],
                                                dtype=torch.float32))
    reload(model, tensors)
    return out


def reload(model, tensors):
    """Puts published tensors into the model through transformers' own loader."""
    with tempfile.TemporaryDirectory() as folder:
        model.config.save_pretrained(folder)
        config = json.loads(pathlib.Path(folder, "config.json").read_text())
        config.pop("quantization_config", None)
        pathlib.Path(folder, "config.json").write_text(json.dumps(config))
        save_file({n: t.contiguous() for n, t in tensors.items()}, folder + "/model.safetensors",
                  metadata={"format": "pt"})
        loaded = type(model).from_pretrained(folder, dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())


def logits(model, dtype):
    model = model.to(dtype)
    with torch.no_grad():
        return model(torch.tensor([PROMPT])).logits[0].double().numpy()


def make(name, folder):
    config = {k: v for k, v in (BASE | MODELS[name]).items()}
    if "text_config" in config:
        config = MODELS[name]
    text = config.get("text_config", config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    plain = {k: v for k, v in text.items() if k != "quantization_config"}
    with tempfile.TemporaryDirectory() as scratch:
        pathlib.Path(scratch, "config.json").write_text(json.dumps(plain))
        parsed = transformers.AutoConfig.from_pretrained(scratch)
    model = transformers.AutoModelForCausalLM.from_config(parsed, attn_implementation="eager",
                                                          experts_implementation="eager",
                                                          dtype=torch.float32).eval()
    randomise(model, text["model_type"] in ("gpt_oss", "llama4_text"))
    tensors = published_tensors(model)
    method = config.get("quantization_config", {}).get("quant_method")
    if method == "fp8":
        stored = to_fp8(tensors, model)
    elif method == "mxfp4":
        stored = to_mxfp4(tensors, model)
    else:
        # The F32 ones of a published BF16 file are these; llama is stored in F32 throughout.
        stored = {n: t if name == "llama" or "correction_bias" in n else t.to(torch.bfloat16)
                  for n, t in tensors.items()}
    if "text_config" in config:
        stored = {"language_model." + n: t for n, t in stored.items()}
    with tempfile.TemporaryDirectory() as scratch:
        path = scratch + "/model.safetensors"
        save_file({n: t.contiguous() for n, t in stored.items()}, path, metadata={"format": "pt"})
        with open(path, "rb") as source, open(folder / "model.safetensors.gz", "wb") as target:
            with gzip.GzipFile("", "wb", 9, target, mtime=0) as packed:
                shutil.copyfileobj(source, packed)
    result = logits(model, torch.float32)
    result.astype("<f4").tofile(folder / "logits.f32")
    difference = float(numpy.abs(result - logits(model, torch.float64)).max())
    (folder / "prompt.json").write_text(json.dumps(dict(
        prompt=PROMPT, vocabulary=VOCABULARY, float64_difference=difference)) + "\n")
    print(f"{name}: {sum(t.numel() for t in stored.values())} weights, logits sd "
          f"{result.std():.3f}, F64 differs by {difference:.2e}")
    return stored


def main():
    out = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        make(name, out / name)


if __name__ == "__main__":
    main()
