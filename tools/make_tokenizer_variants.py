#!/usr/bin/env python3
"""Makes tests/data/tokenizers/variants.json.gz: small tokenizer.json files that differ in one part
each, random strings, and their ids as the Python package `tokenizers` gives them.

    pip install tokenizers
    tools/make_tokenizer_variants.py        (in the repository's root)

The vocabularies are the beginnings of those of Qwen3 (tokenizer.json) and Llama 2 (GGUF) that lie
beside it, so the ids mean nothing to any model; what is tested is the way there.
"""
import copy
import gzip
import json
import random
import struct
import unicodedata

from tokenizers import Tokenizer

DATA = "tests/data/tokenizers/"
MERGES = 3000

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
HEAD = r"[^\r\n\p{L}\p{N}]?"
UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
CJK = "[一-龥ࠀ-一가-퟿]+"
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def sequence(*stages):
    return {"type": "Sequence", "pretokenizers": [*stages, BYTES]}


def digits(individual):
    return {"type": "Digits", "individual_digits": individual}


def byte_level_variants(base):
    def variant(pre_tokenizer, **changes):
        made = copy.deepcopy(base)
        made["pre_tokenizer"] = pre_tokenizer
        made["model"]["ignore_merges"] = changes.pop("ignore_merges", False)
        made.update(changes)
        return made

    numbers = r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    cased = (HEAD + UPPER + "*" + LOWER + "+" + CONTRACTIONS + "?|" + HEAD + UPPER + "+" + LOWER +
             "*" + CONTRACTIONS + "?")
    tekken = HEAD + UPPER + "*" + LOWER + "+|" + HEAD + UPPER + "+" + LOWER + "*"
    qwen = CONTRACTIONS + "|" + HEAD + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + SPACES
    llama = CONTRACTIONS + "|" + HEAD + r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + SPACES
    gpt2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flagged = copy.deepcopy(base["added_tokens"])
    for i, token in enumerate(flagged):
        token["lstrip"] = i % 3 == 0
        token["rstrip"] = i % 3 == 1
        token["single_word"] = token["content"] == "<think>"
    return {
        "gpt-4o": variant(sequence(split(cased + numbers + SPACES))),
        "tekken": variant(sequence(split(tekken + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACES))),
        "qwen35": variant(sequence(split(qwen))),
        "llama3": variant(sequence(split(llama, "Removed", True)), ignore_merges=True),
        "smollm": variant({"type": "Sequence", "pretokenizers": [digits(True), gpt2]},
                          normalizer=None, added_tokens=flagged),
        "digit runs": variant({"type": "Sequence", "pretokenizers": [digits(False), gpt2]}),
        "coder": variant(sequence(split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"),
                                  split(CJK), digits(True))),
        "prefix space": variant(dict(gpt2, add_prefix_space=True), normalizer=None),
        "unknown patterns": variant(sequence(
            split(r"\w+|\s+|[^\w\s]+"), split(r"[\s\S]{5}"),
            {"type": "Split", "pattern": {"String": "a.b"}, "behavior": "Isolated",
             "invert": False})),
        "replacing": variant(gpt2, normalizer={"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": "[aeiou]b"}, "content": "XY"},
            {"type": "Replace", "pattern": {"String": ".."}, "content": ""}]}),
        "NFD": variant(gpt2, normalizer={"type": "NFD"}),
        "NFKC": variant(gpt2, normalizer={"type": "NFKC"}),
    }


def small_qwen():
    with gzip.open(DATA + "qwen3.tokenizer.json.gz") as file:
        base = json.load(file)
    size = 256 + MERGES
    model = base["model"]
    model["vocab"] = {text: i for text, i in model["vocab"].items() if i < size}
    known = model["vocab"]
    model["merges"] = [m for m in model["merges"]
                       if m[0] in known and m[1] in known and m[0] + m[1] in known]
    for i, token in enumerate(base["added_tokens"]):
        token["id"] = size + i
    base["post_processor"] = None
    return base


def read_gguf(path):
    with gzip.open(path) as file:
        data = file.read()
    at = 4

    def number(code):
        nonlocal at
        value = struct.unpack_from("<" + code, data, at)[0]
        at += struct.calcsize(code)
        return value

    def text():
        nonlocal at
        length = number("Q")
        at += length
        return data[at - length:at].decode()

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            element, count = number("I"), number("Q")
            return [value(element) for _ in range(count)]
        return number({0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q",
                       11: "q", 12: "d"}[kind])

    number("I"), number("Q")
    found = {}
    for _ in range(number("Q")):
        key = text()
        found[key] = value(number("I"))
    return found


def sentencepiece_variants():
    keys = read_gguf(DATA + "llama-spm.gguf.gz")
    tokens, scores = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.scores"]
    letters = [i for i, text in enumerate(tokens) if len(text) == 1]
    kept = list(range(259 + MERGES)) + [i for i in letters if i >= 259 + MERGES]
    vocab = {tokens[i]: n for n, i in enumerate(kept)}
    merges = []
    for i in kept[259:]:
        text = tokens[i]
        pairs = [(vocab[text[:k]], vocab[text[k:]], text[:k], text[k:])
                 for k in range(1, len(text)) if text[:k] in vocab and text[k:] in vocab]
        merges += [(-scores[i], n, left, right) for n, (_, _, left, right) in
                   enumerate(sorted(pairs))]
    merges.sort(key=lambda merge: merge[0])
    replace = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    base = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": text, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": True}
                         for i, text in enumerate(["<unk>", "<s>", "</s>"])],
        "normalizer": None, "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence",
                    "decoders": [replace, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False, "vocab": vocab,
                  "merges": [f"{left} {right}" for _, _, left, right in merges]}}
    legacy = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    made = {"prepend": dict(base, normalizer=legacy)}
    for scheme in ["first", "always", "never"]:
        for cut in [True, False]:
            made[f"metaspace {scheme} {cut}"] = dict(base, pre_tokenizer={
                "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut})
    no_bytes = copy.deepcopy(made["metaspace first False"])
    no_bytes["model"]["byte_fallback"] = False
    made["unknown fused"] = no_bytes
    return made


GROUPS = ["abcdefgh", "ABCDEFXYZ", "0123456789", " \t\n\r  ", "'sStTmMdDrReEvVlL'",
          "!?.,;:-_/\\()[]{}<>|@#$%^&*+=~`\"", "éèüöñçÀÉ", "你好世界中国开源模型", "ひらがなカタカナ",
          "한국어각", "абвГДЕ", "αβγΩ", "हिन्दी", "ไทยภาษา", "אבגד", "ابجد",
          "\u0301\u0300\u0327\u0323\u0340\u0344\u093c\u200d\ufe0f", "😀🚀👩‍💻🇩🇪", "ǅǈªºʰˠ",
          "Ⅳ½²٣४①", "\u00a0\u2003\u3000\u2028\x85\x0b\x0c\u180e\u200b▁", "\x00\x01\x7f\x1f",
          "ſ\u212aÅ", "\u1100\u1161\u11a8\uac00", "⺀〇々〡"]
WORDS = ["the", "Hello", "it's", "I'LL", "don't", "<think>", "</think>", "<|im_end|>", "</s>",
         "<tool_call>", "<s>", "2024", "...", "\n\n", "  ", "中文", "a.b"]


def random_string(rng):
    kind, length = rng.random(), rng.randint(1, 40)
    if kind < 0.4:
        groups = rng.sample(GROUPS, rng.randint(1, 5))
        return "".join(rng.choice(rng.choice(groups)) for _ in range(length))
    if kind < 0.7:
        return "".join(rng.choice(rng.choice(GROUPS)) for _ in range(length))
    if kind < 0.85:
        points = (rng.choice([rng.randint(0, 0x2FF), rng.randint(0x300, 0x3000),
                              rng.randint(0x3000, 0xD7FF), rng.randint(0xF900, 0xFFFD),
                              rng.randint(0x10000, 0x1FFFF)]) for _ in range(length))
        # What Unicode 3.2 does not know, the libraries at hand may know or not.
        return "".join(chr(p) for p in points if unicodedata.ucd_3_2_0.category(chr(p)) != "Cn")
    return rng.choice(["", " "]).join(rng.choice(WORDS) for _ in range(length))


def main():
    rng = random.Random(20260115)
    strings = [random_string(rng) for _ in range(600)]
    variants = []
    for name, tokenizer in {**byte_level_variants(small_qwen()), **sentencepiece_variants()}.items():
        reference = Tokenizer.from_str(json.dumps(tokenizer))
        ids = [reference.encode(text, add_special_tokens=False).ids for text in strings]
        texts = [reference.decode(row, skip_special_tokens=False) for row in ids]
        variants.append({"name": name, "tokenizer": tokenizer, "ids": ids, "texts": texts})
    payload = json.dumps({"strings": strings, "variants": variants}, ensure_ascii=False)
    with open(DATA + "variants.json.gz", "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
            file.write(payload.encode())


if __name__ == "__main__":
    main()
