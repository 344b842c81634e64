"""Description of the start of a training, from the provenance of the model. It may be read from a file and contain any JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["describe_start", "describe_trained_parts"]


def describe_start(provenance: Mapping[str, Any]) -> str:
    """Return the weights that a training started from; '' if all were random.

    These are those of a trained model, with what was taken of it, or the pretrained weights of an encoder.

    Args:
        provenance: provenance of the trained model.
    """
    start = _mapping(provenance.get("start"))
    pretrained_name = _describe_pretrained(_mapping(provenance.get("initial_weights")))
    if not start:
        return f"pretrained weights {pretrained_name}; all others random" if pretrained_name else ""
    if "model" not in start:  # fine-tuning of the whole model
        return f"all weights of the training run {start.get('fingerprint', 'unknown')}"
    words = {"epochs": "epochs", "train_persons": "training persons"}
    known = [f"{start[name]} {words[name]}" for name in words if name in start]
    counts = {name: number for name, number in _mapping(start.get("numbers")).items() if isinstance(number, int)}
    taken, new = counts.get("taken", 0) + counts.get("taken by joint", 0), counts.get("new", 0)
    pretrained = counts.get("pretrained", 0)
    others = f"; {pretrained:,} from {pretrained_name or 'unknown weights'}" if pretrained else ""
    joints = _list(start.get("joints_new"))
    anew = f"; joints that started anew: {', '.join(joints)}" if joints else ""
    source = ", ".join([str(start.get("architecture", "unknown network")), *known])
    return f"model {start['model']} ({source}): {taken:,} of {taken + pretrained + new:,} weights{others}{anew}"


def describe_trained_parts(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return the frozen modules and the factors on the learning rate by option; empty if all were trained alike.

    Args:
        provenance: provenance of the trained model.
    """
    parts = _mapping(provenance.get("trained_parts"))
    scales = _mapping(parts.get("learning_rate_scale"))
    rows = {
        "freeze": ", ".join(_list(parts.get("freeze"))),
        "learning_rate_scale": ", ".join(f"{name} x {scale}" for name, scale in scales.items()),
    }
    return {name: text for name, text in rows.items() if text}


def _describe_pretrained(origin: Mapping[str, Any]) -> str:
    known = [f"{word} {origin[key]}" for key, word in (("trained_on", "trained on"), ("license", "licence")) if key in origin]
    name = str(origin.get("name", ""))
    return f"{name} ({', '.join(known)})" if name and known else name


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
