"""Optimisers, components `optimiser(options, parameters, learning_rate) -> torch.optim.Optimizer`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from posescope.core.plugins import Options

__all__ = [
    "SGD", "Adam", "AdamOptions", "AdamW", "AdamWOptions", "RMSProp", "RMSPropOptions", "SGDOptions", "TextbookRMSProp",
    "exclude_from_decay",
]  # fmt: skip

# Parameters, or groups of them: dictionaries with `params` and settings of the group, as in torch.optim.
Parameters: TypeAlias = Iterable[nn.Parameter] | Iterable[dict[str, Any]]


class RMSPropOptions(Options):
    """Options of `rmsprop`; the defaults are those of the thesis's later recipe."""

    form: Literal["torch", "textbook"] = Field(
        default="torch", description="Denominator of the step: torch = sqrt(r) + eps, textbook = sqrt(delta + r)"
    )
    alpha: float = Field(default=0.99, ge=0, lt=1, description="Decay per step of the mean square of the gradient")
    eps: float | None = Field(default=None, gt=0, description="Form torch: constant added to the root mean square; null: 1e-8")
    delta: float | None = Field(
        default=None, gt=0, description="Form textbook: constant added to the mean square, inside the root; null: 1e-6"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty added to the gradient")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Fraction of the previous step that is added")

    @model_validator(mode="after")
    def _constant_belongs_to_the_form(self) -> "RMSPropOptions":
        used, unused = ("eps", "delta") if self.form == "torch" else ("delta", "eps")
        if getattr(self, unused) is not None:
            raise ValueError(
                f"{unused} has no effect with form '{self.form}', which uses {used}; remove {unused} or set it to null"
            )
        return self


class RMSProp:
    """RMSProp (Tieleman and Hinton, 2012): r <- alpha r + (1 - alpha) g^2 and a step in one of two forms.

        torch      w <- w - rate g / (sqrt(r) + eps)      PyTorch's own
        textbook   w <- w - rate g / sqrt(delta + r)      Goodfellow et al. 2016, "Deep Learning", Algorithm 8.5

    The forms differ where r is not much larger than the constant. Gradients of a mean over a heatmap are small: with
    delta = 1e-6 almost all weights of a pose network take smaller steps than in the form `torch` (docs/thesis.md).
    """

    Options: ClassVar[type[Options]] = RMSPropOptions

    def __new__(  # type: ignore[misc]  # the form selects the class
        cls, options: RMSPropOptions, parameters: Iterable[nn.Parameter], learning_rate: float
    ) -> torch.optim.Optimizer:
        """Return the optimiser of the form in the options."""
        shared = options.model_dump(include={"alpha", "weight_decay", "momentum"})
        if options.form == "textbook":
            return TextbookRMSProp(parameters, learning_rate, delta=options.delta or 1e-6, **shared)
        return torch.optim.RMSprop(parameters, lr=learning_rate, eps=options.eps or 1e-8, **shared)


class TextbookRMSProp(torch.optim.Optimizer):
    """RMSProp with the constant inside the root (Goodfellow et al. 2016, "Deep Learning", Algorithm 8.5).

    On a GPU a few multi-tensor operations update all weights of a group without synchronisation. Weight decay and momentum work
    as in PyTorch's RMSProp.

    Args:
        parameters: weights or groups of weights.
        learning_rate: eta, > 0.
        alpha: decay rate rho of the mean square, 0..1.
        delta: constant added to the mean square, > 0, in units of the squared gradient.
        weight_decay: L2 penalty added to the gradient.
        momentum: fraction of the previous step that is added, 0..1.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimiser = TextbookRMSProp([weight], 0.1, alpha=0.75, delta=3.0)
        >>> weight.grad = torch.tensor([2.0])
        >>> optimiser.step()  # mean square 0.25 * 4 = 1, step 0.1 * 2 / sqrt(3 + 1)
        >>> weight.item()
        0.8999999761581421
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        *,
        alpha: float = 0.99,
        delta: float = 1e-6,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        settings = {"alpha": alpha, "delta": delta, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(parameters, {"lr": learning_rate, **settings})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update all weights with a gradient and return the value of `closure`, if given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            # A few kernels for all weights on a GPU; on a CPU one weight at a time stays in the cache, which is twice as fast.
            together = [weights] if weights and weights[0].is_cuda else [[weight] for weight in weights]
            for some in together:
                self._update(some, group)
        return loss

    def _update(self, weights: list[Tensor], group: Mapping[str, Any]) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        mean_squares = self._slots("mean_square", weights)
        torch._foreach_mul_(mean_squares, group["alpha"])
        torch._foreach_addcmul_(mean_squares, gradients, gradients, 1 - group["alpha"])
        roots = torch._foreach_add(mean_squares, group["delta"])
        torch._foreach_sqrt_(roots)
        if group["momentum"]:
            buffers = self._slots("momentum_buffer", weights)
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_addcdiv_(buffers, gradients, roots)
            torch._foreach_add_(weights, buffers, alpha=-group["lr"])
        else:
            torch._foreach_addcdiv_(weights, gradients, roots, -group["lr"])

    def _slots(self, name: str, weights: list[Tensor]) -> list[Tensor]:
        """Return the state `name` of each weight, initially zeros in the memory format of the weight."""
        for weight in weights:
            if name not in self.state[weight]:
                self.state[weight][name] = torch.zeros_like(weight)
        return [self.state[weight][name] for weight in weights]


class AdamOptions(Options):
    """Options of `adam`."""

    beta1: float = Field(default=0.9, ge=0, lt=1, description="Decay per step of the mean of the gradient")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="Decay per step of the mean square of the gradient")
    eps: float = Field(default=1e-8, gt=0, description="Constant added to the root mean square")


class Adam(torch.optim.Adam):
    """Adam (Kingma and Ba, 2015), without weight decay; `adamw` decouples the decay from the gradient."""

    Options: ClassVar[type[Options]] = AdamOptions

    def __init__(self, options: AdamOptions, parameters: Parameters, learning_rate: float) -> None:
        super().__init__(parameters, lr=learning_rate, betas=(options.beta1, options.beta2), eps=options.eps)


class AdamWOptions(AdamOptions):
    """Options of `adamw`."""

    weight_decay: float = Field(default=0.01, ge=0, description="Fraction of the learning rate by which weights shrink per step")
    decay_norms_and_biases: bool = Field(
        default=True, description="Apply the weight decay to the scales and shifts of norms and to biases as well"
    )


class AdamW(torch.optim.AdamW):
    """AdamW (Loshchilov and Hutter, 2019)."""

    Options: ClassVar[type[Options]] = AdamWOptions

    def __init__(self, options: AdamWOptions, parameters: Parameters, learning_rate: float) -> None:
        betas = (options.beta1, options.beta2)
        groups = parameters if options.decay_norms_and_biases else exclude_from_decay(parameters)
        super().__init__(groups, lr=learning_rate, betas=betas, eps=options.eps, weight_decay=options.weight_decay)


def exclude_from_decay(parameters: Parameters) -> list[dict[str, Any]]:
    """Return groups of parameters in which norms and biases have no weight decay.

    They are the parameters of at most one dimension, as in timm (`param_groups_weight_decay`) and in He et al. 2019, "Bag of
    Tricks for Image Classification" (no bias decay).

    Args:
        parameters: parameters, or groups of them with their own settings, which are kept.

    Returns:
        Up to two groups per group, those with decay first; a group without parameters is left out.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
        >>> [len(group["params"]) for group in exclude_from_decay(network.parameters())]
        [1, 3]
    """
    given: list[Any] = list(parameters)
    groups: list[dict[str, Any]] = given if given and isinstance(given[0], dict) else [{"params": given}]
    split: list[dict[str, Any]] = []
    for group in groups:
        members: Any = group["params"]
        weights = [members] if isinstance(members, Tensor) else list(members)
        split.append({**group, "params": [weight for weight in weights if weight.ndim > 1]})
        split.append({**group, "params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0})
    return [group for group in split if group["params"]]


class SGDOptions(Options):
    """Options of `sgd`; the default momentum is that of the thesis's autoencoder."""

    momentum: float = Field(default=0.9, ge=0, lt=1, description="Fraction of the previous step that is added")
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty added to the gradient")


class SGD(torch.optim.SGD):
    """Stochastic gradient descent with momentum: d <- momentum d + g, w <- w - rate d."""

    Options: ClassVar[type[Options]] = SGDOptions

    def __init__(self, options: SGDOptions, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        super().__init__(parameters, lr=learning_rate, **options.model_dump())
