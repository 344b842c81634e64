"""A network that knows nothing of posescope."""

from torch import Tensor, nn

__all__ = ["SmallNet"]


class SmallNet(nn.Module):
    """Three convolutions down to stride 8, one up to stride 4."""

    def __init__(self, joint_count: int, channels: int = 16) -> None:
        super().__init__()
        widths = [3, channels, 2 * channels, 4 * channels]
        layers = [nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.ReLU()) for i, o in zip(widths, widths[1:])]  # noqa: B905, RUF007
        self.encoder = nn.Sequential(*layers)
        self.up = nn.ConvTranspose2d(4 * channels, channels, 4, 2, 1)
        self.head = nn.Conv2d(channels, joint_count, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.up(self.encoder(images)).relu())
