"""What the processor can do that torch's own functions do not say in one word."""

import torch


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for products of bfloat16 numbers; without them torch emulates, slower than float32."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
