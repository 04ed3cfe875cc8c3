"""The command line: ``vtrans COMMAND``; each command is a file of this folder, imported when it is called."""

from vtrans.cli.main import main

__all__ = ["main"]
