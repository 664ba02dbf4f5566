# The fuzz targets: NAME_fuzz.cc defines LLVMFuzzerTestOneInput, NAME_fuzz_deps are the rooms it
# needs, corpus/NAME its kept inputs. fuzz/ builds each with libFuzzer; tests/fuzz_replay runs each
# over its corpus in every build.
set(fuzz_targets gguf safetensors huggingface tokenizer tokenizer_load template output)
set(gguf_fuzz_deps gguf)
set(safetensors_fuzz_deps gguf)
set(huggingface_fuzz_deps gguf)
set(tokenizer_fuzz_deps tokenizer)
set(tokenizer_load_fuzz_deps tokenizer)
set(template_fuzz_deps chat)
set(output_fuzz_deps chat)
