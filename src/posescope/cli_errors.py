"""Commands whose foreseen errors are told in one line; imported by every command, so it imports nothing heavy."""

from typing import Any

import click

from posescope.errors import PosescopeError

__all__ = ["OneLineErrors"]


class OneLineErrors(click.Command):
    """A command that ends with exit code 1 and one clear message where it meets an error of ours."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except PosescopeError as error:
            raise click.ClickException(str(error)) from error
