"""The command line, `sx`: one module for each group of commands, the sample and the demo."""
