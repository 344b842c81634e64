"""Optimisers as components: `optimiser(options, parameters, learning_rate) -> torch.optim.Optimizer`."""

from collections.abc import Iterable
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from posescope.plugins import Options

__all__ = ["SGD", "AdamW", "AdamWOptions", "RMSProp", "RMSPropOptions", "SGDOptions"]


class RMSPropOptions(Options):
    """Options of RMSProp; the defaults are the study's."""

    alpha: float = Field(default=0.99, ge=0, lt=1, description="Decay a step of the mean square of the gradient")
    eps: float = Field(default=1e-8, gt=0, description="Added to the root mean square")
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty added to the gradient")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Share of the last step that is taken again")


class RMSProp(torch.optim.RMSprop):
    """Component `rmsprop` (Tieleman and Hinton, 2012): v <- alpha v + (1 - alpha) g^2, w <- w - rate g / (sqrt(v) + eps).

    PyTorch adds `eps` after the root; other libraries add it below the root. With
    1e-8 that tells only where gradients are below about 1e-4: there this form takes whole steps, the other one smaller ones.
    """

    Options: ClassVar[type[Options]] = RMSPropOptions

    def __init__(self, options: RMSPropOptions, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        super().__init__(parameters, lr=learning_rate, **options.model_dump())


class AdamWOptions(Options):
    """Options of AdamW."""

    beta1: float = Field(default=0.9, ge=0, lt=1, description="Decay a step of the mean of the gradient")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="Decay a step of the mean square of the gradient")
    eps: float = Field(default=1e-8, gt=0, description="Added to the root mean square")
    weight_decay: float = Field(default=0.01, ge=0, description="Share of the learning rate by which weights shrink a step")


class AdamW(torch.optim.AdamW):
    """Component `adamw` (Loshchilov and Hutter, 2019)."""

    Options: ClassVar[type[Options]] = AdamWOptions

    def __init__(self, options: AdamWOptions, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        betas = (options.beta1, options.beta2)
        super().__init__(parameters, lr=learning_rate, betas=betas, eps=options.eps, weight_decay=options.weight_decay)


class SGDOptions(Options):
    """Options of SGD; the momentum is that of the study's autoencoder."""

    momentum: float = Field(default=0.9, ge=0, lt=1, description="Share of the last step that is taken again")
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty added to the gradient")


class SGD(torch.optim.SGD):
    """Component `sgd`: stochastic gradient descent with momentum, d <- momentum d + g, w <- w - rate d."""

    Options: ClassVar[type[Options]] = SGDOptions

    def __init__(self, options: SGDOptions, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        super().__init__(parameters, lr=learning_rate, **options.model_dump())
