"""What people and tools call things, and the ids of the tables that they stand for.

A name is resolved where it can stand for one thing only: words that tell nothing apart (vendor, form factor, memory that
agrees) are set aside and the rest must be the whole name of one row. Nothing is guessed from spelling alone.
"""

from __future__ import annotations

import re
from typing import Final

from rackecon.catalog.accelerators import accelerators
from rackecon.catalog.cached import by_data
from rackecon.catalog.models import models
from rackecon.units import GIB_BYTES

VENDOR_WORDS: Final = frozenset({
    "nvidia", "amd", "instinct", "google", "cloud", "aws", "intel", "tesla", "accelerator", "gpu", "graphics", "sxm",
    "sxm4", "sxm5", "sxm6", "oam", "hgx", "dgx", "oem", "hbm2", "hbm2e", "hbm3", "hbm3e", "platform",
    "server", "edition", "habana", "ac", "vf",
})  # fmt: skip
FULL_NAMES: Final = {
    "trn2": "trainium2",
    "trn3": "trainium3",
    "tpu7x": "tpu-v7",
    "ironwood": "tpu-v7",
    "trillium": "tpu-v6e",
    "vr200": "vr-nvl72",
    "tpuv5lite": "tpu-v5e",
    "tpuv6lite": "tpu-v6e",
    "tpuv5litepod": "tpu-v5e",
}
INSTANCES: Final = (
    (r"p4de\.\w+", "a100-80gb-sxm"), (r"p5\.(4|48)xlarge", "h100-sxm"), (r"p5en?\.48xlarge", "h200-sxm"),
    (r"p6-b200\.\w+", "b200-hgx"), (r"p6-b300\.\w+", "b300-hgx"), (r"g5\.\w+", "a10g"), (r"g6\.\w+", "l4"),
    (r"g6e\.\w+", "l40s"), (r"inf2\.\w+", "inferentia2"), (r"trn2u?\.\w+", "trainium2"),
    (r"a2-ultragpu-\d+g", "a100-80gb-sxm"), (r"a3-(high|mega|edge)gpu-\d+g", "h100-sxm"), (r"a3-ultragpu-\d+g", "h200-sxm"),
    (r"a4-highgpu-\d+g", "b200-hgx"), (r"a4x-highgpu-\d+g", "gb200-nvl72"), (r"g2-standard-\d+", "l4"),
    (r"ct5lp-hightpu-\d+t", "tpu-v5e"), (r"ct5p-hightpu-\d+t", "tpu-v5p"), (r"ct6e-standard-\d+t", "tpu-v6e"),
    (r"(standard_)?nd96isr_h100_v5", "h100-sxm"), (r"(standard_)?nd96isr_h200_v5", "h200-sxm"),
    (r"(standard_)?nd96isr_mi300x_v5", "mi300x"), (r"(standard_)?nd96amsr_a100_v4", "a100-80gb-sxm"),
)  # fmt: skip
"""Machines of AWS, Google and Azure that hold one kind of accelerator each, by their public names."""
MEMORY_AGREES: Final = 0.1  # a marketed size against the table's, which counts what a server leaves usable
TAIL_WORDS: Final = frozenset({
    "instruct", "chat", "it", "hf", "base", "thinking", "preview", "dynamic", "block", "kv", "quantized", "hi",
    "meta", "exp", "inference", "awq", "gptq", "gguf", "fp8", "fp4", "nvfp4", "mxfp4", "bf16", "fp16",
    "int4", "w4a16", "w8a8", "w4a8",
})  # fmt: skip
DATED: Final = re.compile(r"\d{4}|v\d+(\.\d+)?")
ACTIVE_SIZE: Final = re.compile(r"-17b-(16|128)e\b")  # Llama 4 names its active parameters and experts
PRECISIONS: Final = {
    "bf16": ["bf16", "fp16", "bfloat16", "float16", "half", "w16a16"],
    "fp8": ["fp8", "fp8e4m3", "fp8e5m2", "float8", "w8a8fp8", "fp8blockscales"],
    "fp4": ["fp4", "nvfp4", "mxfp4", "w4a8mxfp4"],
    "int4": ["int4", "awq", "gptq", "w4a16", "w4a16awq", "awqmarlin", "gptqmarlin"],
}
ENGINE_WORDS: Final = {
    "vllm": "vllm",
    "sglang": "sglang",
    "sgl": "sglang",
    "trt": "trtllm",
    "trtllm": "trtllm",
    "tensorrtllm": "trtllm",
    "atom": "atom",
}
FRONT_WORDS: Final = {"dynamo": "dynamo", "mori": "mori"}


def _squeezed(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "", text.lower())


def accelerator_named(text: str) -> str | None:
    """Id of the accelerator that a name stands for; None where it stands for none, or could for several.

    Parameters
    ----------
    text : str
        Such as nvidia-smi, rocm-smi, a cloud or a benchmark writes it.

    Examples
    --------
    >>> [accelerator_named(x) for x in ("NVIDIA H100 80GB HBM3", "AMD Instinct MI300X OAM", "gb200", "H100 PCIe", "A100 40GB")]
    ['h100-sxm', 'mi300x', 'gb200-nvl72', None, None]
    """
    name = text.strip().lower()
    known = accelerators()
    if name in known:
        return name
    rented = next((chip for pattern, chip in INSTANCES if re.fullmatch(pattern, name)), None)
    if rented is not None:
        return rented
    words = re.findall(r"[a-z0-9]+", name)
    sizes = [float(word[:-2]) for word in words if re.fullmatch(r"\d+gb", word)]
    rest = [w for w in words if w not in VENDOR_WORDS and not re.fullmatch(r"\d+gb", w)]
    joined = "".join(rest)
    found = FULL_NAMES.get(joined) or _chips().get(joined)
    if found is None or any(abs(s * GIB_BYTES / known[found].hbm_bytes - 1.0) > MEMORY_AGREES for s in sizes):
        return None
    return found


@by_data(1, "accelerators")
def _chips() -> dict[str, str]:
    """Ids by squeezed label and name; what two rows share stands for neither."""
    pairs: list[tuple[str, str]] = []
    for chip in accelerators().values():
        plain = re.sub(r"\(.*?\)|/.*", "", chip.name)
        texts = {chip.label, plain, chip.label.replace("NVL72", ""), chip.id}
        codes = {"".join(w for w in re.findall(r"[a-z0-9]+", t.lower()) if w not in VENDOR_WORDS) for t in texts}
        pairs += [(code, chip.id) for code in codes if code]
    return _single(pairs)


def _single(pairs: list[tuple[str, str]]) -> dict[str, str]:
    meant: dict[str, set[str]] = {}
    for word, name in pairs:
        meant.setdefault(word, set()).add(name)
    return {word: names.pop() for word, names in meant.items() if len(names) == 1}


def model_named(text: str) -> str | None:
    """Id of the model that a Hugging Face id, a folder or a served name stands for; None where there is no such row.

    Words of tuning, release date and precision at the end are set aside; the precision is :func:`precision_named`'s.

    Examples
    --------
    >>> [model_named(x) for x in ("openai/gpt-oss-120b", "nvidia/Llama-3.3-70B-Instruct-FP8", "deepseek-ai/DeepSeek-R1-0528", "acme/x")]
    ['gpt-oss-120b', 'llama-3.3-70b', 'deepseek-r1', None]
    """
    name = text.strip().rstrip("/").split("/")[-1].lower()
    known = models()
    if name in known:
        return name
    words = [word for word in re.split(r"[-_\s]+", ACTIVE_SIZE.sub("", name)) if word]
    if words and words[0] in ("meta", "nvidia"):
        words = words[1:]
    while words:
        found = _models().get(_squeezed("".join(words)))
        if found is not None:
            return found
        if words[-1] not in TAIL_WORDS and not DATED.fullmatch(words[-1]):
            return None
        words = words[:-1]
    return None


@by_data(1, "models")
def _models() -> dict[str, str]:
    """Ids by squeezed id and name, those of a row that stands for several releases too."""
    known = models()
    ids = {_squeezed(name): name for name in known}
    pairs: list[tuple[str, str]] = []
    for found in known.values():
        first, *others = found.name.split("/")
        stem = re.sub(r"[\d.]+$", "", first)
        pairs += [(_squeezed(text), found.id) for text in (first, *(stem + other for other in others))]
    return {**_single(pairs), **ids}


def precision_named(text: str) -> str | None:
    """Weight or cache precision that a word, or the words of a checkpoint's name, say; None where they say none.

    Examples
    --------
    >>> [precision_named(x) for x in ("NVFP4", "nvidia/DeepSeek-R1-FP4", "fp8_e4m3", "Qwen3-14B-AWQ", "openai/gpt-oss-20b")]
    ['fp4', 'fp4', 'fp8', 'int4', None]
    """
    by_word = {word: name for name, words in PRECISIONS.items() for word in words}
    whole = _squeezed(text.replace(".", ""))
    if whole in by_word:
        return by_word[whole]
    said = {by_word[word] for word in re.split(r"[^a-z0-9]+", text.lower()) if word in by_word}
    return said.pop() if len(said) == 1 else None


def engine_named(text: str) -> str | None:
    """Engine of :data:`rackecon.performance.families.ENGINES` that a name, an image or a backend stands for.

    Examples
    --------
    >>> [engine_named(x) for x in ("vLLM 0.17.0", "dynamo-trt", "lmsysorg/sglang:v0.5.12", "sglang-oai", "triton")]
    ['vllm', 'dynamo-trtllm', 'sglang', 'sglang', None]
    """
    name = (
        text.strip()
        .lower()
        .replace("tensorrt-llm", "trtllm")
        .replace("tensorrt_llm", "trtllm")
        .replace("trt-llm", "trtllm")
    )
    words = re.split(r"[^a-z0-9]+", name.split(":")[0])
    found = {ENGINE_WORDS[word] for word in words if word in ENGINE_WORDS}
    if len(found) != 1:
        return None
    front = next((FRONT_WORDS[word] for word in words if word in FRONT_WORDS), "")
    return f"{front}-{found.pop()}" if front else found.pop()
