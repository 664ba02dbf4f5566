#!/usr/bin/env python3
"""Makes models with a layer for multi-token prediction, and that layer's logits.

The layer is a model of one layer of the same family in Hugging Face transformers, whose inputs are
eh_proj [enorm(token); hnorm(hidden state of the position before)] as the makers publish it; the
hidden states are the main model's after its last norm. Three folders:

    deepseek_v3, glm4_moe   random weights
    truth                   a model whose layers add nothing, so that the next token depends on the
                            newest alone, and a prediction layer that knows it

    pip install torch transformers safetensors numpy
    tools/prediction_reference.py OUT        # OUT: tests/data/prediction
"""

import gzip
import json
import pathlib
import sys
import tempfile

import numpy
import torch
import transformers
from safetensors.torch import save

import hf_reference as common


def build(config):
    """A model of transformers, and its tensors by their published names."""
    with tempfile.TemporaryDirectory() as scratch:
        pathlib.Path(scratch, "config.json").write_text(json.dumps(config))
        parsed = transformers.AutoConfig.from_pretrained(scratch)
    model = transformers.AutoModelForCausalLM.from_config(
        parsed, attn_implementation="eager", experts_implementation="eager",
        dtype=torch.float32).eval()
    common.randomise(model, False)
    return model


def silence(model):
    """Layers add nothing to what goes through them."""
    for name, weight in model.named_parameters():
        if "o_proj" in name or "down_proj" in name:
            weight.data.zero_()


class Prediction:
    """The layer: a model of one layer, and what joins its inputs."""

    def __init__(self, config, main, truthful):
        self.main = main
        self.layer = build(config | dict(num_hidden_layers=1, first_k_dense_replace=0))
        hidden = config["hidden_size"]
        generator = torch.Generator().manual_seed(7)
        noise = lambda *shape: torch.randn(shape, generator=generator)
        self.join = common.five_bits(noise(hidden, 2 * hidden) / (2 * hidden) ** 0.5)
        self.norms = [common.five_bits(1 + 0.2 * noise(hidden)) for _ in range(2)]
        self.epsilon = config["rms_norm_eps"]
        if truthful:
            silence(self.layer)
            self.join = torch.cat([torch.eye(hidden), torch.zeros(hidden, hidden)], 1)
            self.norms = [torch.ones(hidden)] * 2
            self.layer.model.norm.weight.data.copy_(main.model.norm.weight)
        # As published: one embedding and one head for both.
        self.layer.lm_head.weight.data.copy_(main.lm_head.weight)

    def published(self, index):
        prefix = f"model.layers.{index}."
        out = {prefix + "eh_proj.weight": self.join, prefix + "enorm.weight": self.norms[0],
               prefix + "hnorm.weight": self.norms[1],
               prefix + "embed_tokens.weight": self.main.model.embed_tokens.weight.data}
        for name, tensor in common.published_tensors(self.layer).items():
            if name.startswith("model.layers.0."):
                out[prefix + name.removeprefix("model.layers.0.")] = tensor
        out[prefix + "shared_head.norm.weight"] = self.layer.model.norm.weight.data
        out[prefix + "shared_head.head.weight"] = self.layer.lm_head.weight.data
        return out

    def run(self, tokens, hidden, dtype):
        """Logits and normalised output for tokens and the hidden states before them."""
        def norm(x, weight):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * weight.to(dtype)
        token = norm(self.main.model.embed_tokens(tokens), self.norms[0])
        joined = torch.cat([token, norm(hidden, self.norms[1])], -1) @ self.join.to(dtype).T
        out = self.layer.model(inputs_embeds=joined[None]).last_hidden_state[0]
        return self.layer.lm_head(out), out

    def predict(self, prompt, dtype):
        """Rows: what follows prompt[1:], each from what was before; then, for the likeliest token
        after the prompt's last prediction, what follows that."""
        self.main.to(dtype), self.layer.to(dtype)
        with torch.no_grad():
            tokens = torch.tensor(prompt)
            hidden = self.main.model(tokens[None]).last_hidden_state[0]
            logits, out = self.run(tokens[1:], hidden[:-1], dtype)
            guess = logits[-1].argmax()[None]
            further, _ = self.run(torch.cat([tokens[1:], guess]),
                                  torch.cat([hidden[:-1], out[-1:]]), dtype)
        return torch.cat([logits, further[-1:]]).double().numpy()


def make(name, folder, truthful=False):
    config = common.BASE | common.MODELS[name] | dict(num_nextn_predict_layers=1)
    main = build(config)
    if truthful:
        silence(main)
    prediction = Prediction(config, main, truthful)
    tensors = common.published_tensors(main) | prediction.published(config["num_hidden_layers"])
    stored = {n: (t if "correction_bias" in n else t.to(torch.bfloat16)).contiguous()
              for n, t in tensors.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    with open(folder / "model.safetensors.gz", "wb") as target:
        with gzip.GzipFile("", "wb", 9, target, mtime=0) as packed:
            packed.write(save(stored, metadata={"format": "pt"}))
    result = prediction.predict(common.PROMPT, torch.float32)
    difference = float(numpy.abs(result - prediction.predict(common.PROMPT, torch.float64)).max())
    result.astype("<f4").tofile(folder / "predicted.f32")
    (folder / "prompt.json").write_text(json.dumps(dict(
        prompt=common.PROMPT, vocabulary=common.VOCABULARY,
        float64_difference=difference)) + "\n")
    print(f"{folder.name}: logits sd {result.std():.3f}, F64 differs by {difference:.2e}")


def main():
    out = pathlib.Path(sys.argv[1])
    make("deepseek_v3", out / "deepseek_v3")
    make("glm4_moe", out / "glm4_moe")
    make("deepseek_v3", out / "truth", truthful=True)


if __name__ == "__main__":
    main()
